//go:build gc && !repaint_slowgoid

#include "textflag.h"

// func callersCaller() uintptr
//
// It has no frame: R29 is that of Caller. What it points to is the frame of the function
// that asks, and above that is where that one returns to.
TEXT ·callersCaller(SB), NOSPLIT|NOFRAME, $0-8
	MOVD (R29), R0
	MOVD 8(R0), R0
	MOVD R0, ret+0(FP)
	RET

//go:build gc && !repaint_slowgoid

#include "textflag.h"

// func callersCaller() uintptr
//
// It has no frame: BP is that of Caller. What it points to is the frame of the function
// that asks, and above that is where that one returns to.
TEXT ·callersCaller(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ (BP), AX
	MOVQ 8(AX), AX
	MOVQ AX, ret+0(FP)
	RET

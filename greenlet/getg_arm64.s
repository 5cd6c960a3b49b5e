//go:build gc && !repaint_slowgoid

#include "textflag.h"

// func getg() unsafe.Pointer
TEXT ·getg(SB), NOSPLIT, $0-8
	MOVD g, ret+0(FP)
	RET

// func ticket() uint64
TEXT ·ticket(SB), NOSPLIT, $0-8
	MOVD ·goidOffset(SB), R0
	MOVD ·lockOffset(SB), R1
	MOVD ·lockMask(SB), R2
	MOVD (g)(R0), R0
	MOVD (g)(R1), R1
	AND  R2, R1
	EOR  R1, R0
	MOVD R0, ret+0(FP)
	RET

// func quickGoid() uint64
TEXT ·quickGoid(SB), NOSPLIT, $0-8
	MOVD ·goidOffset(SB), R0
	MOVD (g)(R0), R0
	MOVD R0, ret+0(FP)
	RET

//go:build gc && !repaint_slowgoid

#include "textflag.h"

// func getg() unsafe.Pointer
TEXT ·getg(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET

// func ticket() uint64
TEXT ·ticket(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ ·goidOffset(SB), CX
	MOVQ ·lockOffset(SB), DX
	MOVQ (AX)(DX*1), DX
	ANDQ ·lockMask(SB), DX
	XORQ (AX)(CX*1), DX
	MOVQ DX, ret+0(FP)
	RET

// func quickGoid() uint64
TEXT ·quickGoid(SB), NOSPLIT, $0-8
	MOVQ (TLS), AX
	MOVQ ·goidOffset(SB), CX
	MOVQ (AX)(CX*1), AX
	MOVQ AX, ret+0(FP)
	RET

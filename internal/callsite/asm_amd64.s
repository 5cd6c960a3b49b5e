//go:build gc && !repaint_slowgoid

#include "textflag.h"

// func walk(pcs *uintptr, n int) int
//
// It has no frame: BP is that of the function that calls it. What BP points to is the frame of that one's caller, and so on;
// above each such pointer is where the function returns to. The last pointer is 0.
// Assembly isn't preempted, so the stack doesn't move meanwhile.
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ pcs+0(FP), DI
	MOVQ n+8(FP), CX
	MOVQ (BP), AX
	XORQ DX, DX

next:
	CMPQ  DX, CX
	JGE   done
	TESTQ AX, AX
	JZ    done
	MOVQ  8(AX), BX
	MOVQ  BX, (DI)(DX*8)
	INCQ  DX
	MOVQ  (AX), AX
	JMP   next

done:
	MOVQ DX, ret+16(FP)
	RET

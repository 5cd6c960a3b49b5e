//go:build gc && !repaint_slowgoid

#include "textflag.h"

// func walk(pcs *uintptr, n int) int
//
// It has no frame: R29 is that of the function that calls it. What R29 points to is the frame of that one's caller, and so on;
// above each such pointer is where the function returns to. The last pointer is 0.
// Assembly isn't preempted, so the stack doesn't move meanwhile.
TEXT ·walk(SB), NOSPLIT|NOFRAME, $0-24
	MOVD pcs+0(FP), R0
	MOVD n+8(FP), R1
	MOVD (R29), R2
	MOVD $0, R3

next:
	CMP  R1, R3
	BGE  done
	CBZ  R2, done
	MOVD 8(R2), R4
	MOVD R4, (R0)(R3<<3)
	ADD  $1, R3
	MOVD (R2), R2
	B    next

done:
	MOVD R3, ret+16(FP)
	RET

// Proves the calls that KVM makes of firmware, with the smallest guests there can be: no QEMU, no kernel, some twenty
// instructions. One line per case goes to the kernel log; `KVM … total` is the last.
//
// Needs: root and the module kvm_hv.
#include "kvm.h"

int main(void)
{
	case_run("vcpu", vcpu_case);
	case_run("xics", xics_case);
	case_run("xive", xive_case);
	case_run("many", many_case);
	return total();
}

"""The operators as Triton kernels: imported only where one is launched, since Triton is an extra."""

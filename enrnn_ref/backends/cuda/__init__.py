"""The backend for NVIDIA's GPUs: kernels through ``numba.cuda``, from one thread per unit to persistent ones."""

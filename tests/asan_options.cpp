// libtorch is not instrumented: what it keeps until the process ends would be reported as leaks, and it frees with
// operator delete what its own allocator made.
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0:alloc_dealloc_mismatch=0:detect_stack_use_after_return=1:strict_string_checks=1";
}

extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1"; }

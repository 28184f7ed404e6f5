# Finds libtorch: LIBTORCH (a prefix with share/cmake/Torch), then CMAKE_PREFIX_PATH, then KEYFLOW_TORCH_HINTS. Gives the
# target `torch` and TORCH_INCLUDE_DIRS. Used by the build and by the installed package.
set(LIBTORCH "" CACHE PATH "libtorch prefix; empty: CMAKE_PREFIX_PATH, then the usual places")
set(suffixes share/cmake/Torch lib/cmake/Torch Torch)
if(LIBTORCH)
  find_path(TORCH_PACKAGE TorchConfig.cmake PATHS ${LIBTORCH} PATH_SUFFIXES ${suffixes} NO_DEFAULT_PATH)
else()
  find_path(TORCH_PACKAGE TorchConfig.cmake HINTS ${KEYFLOW_TORCH_HINTS} PATH_SUFFIXES ${suffixes})
endif()
mark_as_advanced(TORCH_PACKAGE)
if(NOT TORCH_PACKAGE)
  message(FATAL_ERROR "no libtorch: give -DLIBTORCH=<prefix with share/cmake/Torch>, or run `make setup` once, which "
    "puts the wheel into .venv")
endif()

get_filename_component(torch_prefix ${TORCH_PACKAGE}/../../.. ABSOLUTE)
if(EXISTS ${torch_prefix}/lib/libtorch_cuda.so)
  # The package of a CUDA build insists on CUDA's compiler and headers, which nothing here needs: name its libraries.
  set(TORCH_INCLUDE_DIRS ${torch_prefix}/include ${torch_prefix}/include/torch/csrc/api/include)
  add_library(torch INTERFACE IMPORTED)
  target_include_directories(torch INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(torch INTERFACE -Wl,--no-as-needed ${torch_prefix}/lib/libtorch.so
    ${torch_prefix}/lib/libtorch_cpu.so ${torch_prefix}/lib/libtorch_cuda.so -Wl,--as-needed
    ${torch_prefix}/lib/libc10.so)
else()
  # It warns about a profiler library that the CPU wheel rightly lacks.
  set(CMAKE_MESSAGE_LOG_LEVEL ERROR)
  find_package(Torch QUIET REQUIRED PATHS ${TORCH_PACKAGE} NO_DEFAULT_PATH)
  unset(CMAKE_MESSAGE_LOG_LEVEL)
endif()
message(STATUS "libtorch: ${torch_prefix}")

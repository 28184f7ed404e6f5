# Finds libtorch: LIBTORCH (a prefix with share/cmake/Torch), then CMAKE_PREFIX_PATH, then the wheel that `make` puts into
# .venv. Gives the target `torch` and TORCH_INCLUDE_DIRS.
set(LIBTORCH "" CACHE PATH "libtorch prefix; empty: CMAKE_PREFIX_PATH, then .venv")
file(GLOB wheel ${PROJECT_SOURCE_DIR}/.venv/lib/python*/site-packages/torch)
# Its package warns about a profiler library that the CPU wheel rightly lacks.
set(CMAKE_MESSAGE_LOG_LEVEL ERROR)
if(LIBTORCH)
  find_package(Torch QUIET PATHS ${LIBTORCH} NO_DEFAULT_PATH)
else()
  find_package(Torch QUIET HINTS ${wheel})
endif()
unset(CMAKE_MESSAGE_LOG_LEVEL)
if(NOT Torch_FOUND)
  message(FATAL_ERROR "no libtorch: give -DLIBTORCH=<prefix with share/cmake/Torch>, or run `make setup` once, which "
    "puts the CPU wheel into .venv")
endif()
message(STATUS "libtorch: ${TORCH_INSTALL_PREFIX}")

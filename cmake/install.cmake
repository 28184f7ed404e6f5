# One library for users: the objects of every folder's target in libkeyflow.a (or .so with BUILD_SHARED_LIBS), the public
# headers, configs, the small model and the CMake package. The build itself links the folders' targets.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(folders GLOBAL PROPERTY KEYFLOW_LIBRARIES)
list(REMOVE_ITEM folders keyflow_apps)
set(objects)
set(dependencies)
foreach(folder ${folders})
  list(APPEND objects $<TARGET_OBJECTS:${folder}>)
  get_target_property(linked ${folder} LINK_LIBRARIES)
  list(APPEND dependencies ${linked})
endforeach()
list(REMOVE_DUPLICATES dependencies)
list(FILTER dependencies EXCLUDE REGEX "keyflow")

add_library(keyflow_whole ${objects})
add_library(keyflow::keyflow ALIAS keyflow_whole)
set_target_properties(keyflow_whole PROPERTIES OUTPUT_NAME keyflow EXPORT_NAME keyflow LINKER_LANGUAGE CXX)
target_link_libraries(keyflow_whole PUBLIC ${dependencies})
target_compile_features(keyflow_whole PUBLIC cxx_std_20)
target_compile_definitions(keyflow_whole PUBLIC AT_PER_OPERATOR_HEADERS)
target_include_directories(keyflow_whole PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/keyflow>)

install(TARGETS keyflow_whole EXPORT keyflow-targets)
if(TARGET keyflow)
  install(TARGETS keyflow)
endif()
foreach(folder src/core src/ops src/text src/media src/pipeline schedulers models weights)
  string(REGEX REPLACE "^src/" "" rooted ${folder})
  install(DIRECTORY ${folder}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/keyflow/${rooted} FILES_MATCHING PATTERN "*.h"
    PATTERN "pch.h" EXCLUDE PATTERN "weights/mini" EXCLUDE PATTERN "weights/manifests" EXCLUDE)
endforeach()
install(DIRECTORY configs weights/mini DESTINATION ${CMAKE_INSTALL_DATADIR}/keyflow OPTIONAL)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/keyflow)
configure_package_config_file(cmake/keyflow-config.cmake.in ${CMAKE_BINARY_DIR}/keyflow-config.cmake
  INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/keyflow-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/keyflow-config.cmake ${CMAKE_BINARY_DIR}/keyflow-config-version.cmake
  cmake/libtorch.cmake DESTINATION ${package})
install(EXPORT keyflow-targets NAMESPACE keyflow:: DESTINATION ${package})

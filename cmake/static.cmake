# Linking parts of the system statically: writ starts on every run, and each shared library costs start-up time.

# writ_static_library(NAME sqlite3 OUT variable)
# Sets `variable` to the archive lib<NAME>.a for Release builds without sanitizers, else to the shared library, so that
# sanitizers see the same symbols as everybody else. Fails the configuration when neither exists.
function(writ_static_library)
  cmake_parse_arguments(ARG "" "NAME;OUT" "" ${ARGN})
  string(MAKE_C_IDENTIFIER "WRIT_LIB_${ARG_NAME}" cache)
  set(names lib${ARG_NAME}.so)
  if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT WRIT_SANITIZE)
    set(names lib${ARG_NAME}.a lib${ARG_NAME}.so)
  endif()
  find_library(${cache} NAMES ${names})
  mark_as_advanced(${cache})
  if(NOT ${cache})
    message(FATAL_ERROR "library ${ARG_NAME} not found: run scripts/setup, which installs every package the build needs")
  endif()
  set(${ARG_OUT} ${${cache}} PARENT_SCOPE)
endfunction()

# writ::fmt, the formatting library as an archive made from the installed headers: the distribution ships only the
# shared one.
add_library(writ_fmt STATIC ${CMAKE_SOURCE_DIR}/cmake/fmt_static.cc)
target_include_directories(writ_fmt SYSTEM PUBLIC
  $<TARGET_PROPERTY:fmt::fmt-header-only,INTERFACE_INCLUDE_DIRECTORIES>)
add_library(writ::fmt ALIAS writ_fmt)

# How every folder declares its library and tests: sources, what it may use, and nothing else.

set(BERTH_SANITIZE "" CACHE STRING "address, undefined, thread or empty")

# ccache sees paths below the source folder as relative ones, so that every clone and work tree shares what it keeps.
find_program(BERTH_CCACHE ccache)
if(BERTH_CCACHE)
  set(berth_launcher ${CMAKE_COMMAND} -E env "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${BERTH_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${berth_launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${berth_launcher})
endif()

add_library(berth_flags INTERFACE)
target_include_directories(berth_flags INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(berth_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
target_compile_definitions(berth_flags INTERFACE _GNU_SOURCE BOOST_ASIO_NO_DEPRECATED
  BERTH_VERSION="${PROJECT_VERSION}")

if(BERTH_SANITIZE)
  target_compile_options(berth_flags INTERFACE -fsanitize=${BERTH_SANITIZE} -fno-omit-frame-pointer -g1 -O1)
  target_link_options(berth_flags INTERFACE -fsanitize=${BERTH_SANITIZE})
  if(BERTH_SANITIZE STREQUAL "thread")
    target_compile_definitions(berth_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
    target_compile_options(berth_flags INTERFACE -Wno-tsan)
  elseif(BERTH_SANITIZE STREQUAL "undefined")
    target_compile_options(berth_flags INTERFACE -fno-sanitize-recover=all)
  endif()
else()
  # A release carries line tables, enough for a stack trace, at a third of the link time of full debug information.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  target_compile_options(berth_flags INTERFACE -fstack-protector-strong -D_FORTIFY_SOURCE=2)
  target_link_options(berth_flags INTERFACE -Wl,-z,relro,-z,now)
endif()

# berth_library(NAME SOURCES a.cc … [USES lib …] [PRIVATE lib …])
#   USES are seen by whoever includes this library's headers; PRIVATE ones only by its sources.
function(berth_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC berth_flags ${arg_USES} PRIVATE ${arg_PRIVATE})
endfunction()

# berth_tests(LIBRARY SOURCES a_test.cc … [USES lib …]): one test program for the folder, `<library>_test`.
function(berth_tests library)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  add_executable(${library}_test ${arg_SOURCES})
  target_link_libraries(${library}_test PRIVATE ${library} ${arg_USES} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${library}_test TEST_PREFIX "${library}." DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
endfunction()

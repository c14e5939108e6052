# How every folder declares its library and tests: sources, what it may use, and nothing else.

set(BERTH_SANITIZE "" CACHE STRING "address, undefined, thread or empty")

# ccache sees paths below the source folder as relative ones, so that every clone and work tree shares what it keeps. The compiler sees them so, too, and
# debug information has them; a package, whose bytes are not to depend on ccache, goes without.
option(BERTH_CCACHE_RELATIVE "Share what ccache keeps between source folders" ON)
# Sources with a precompiled header are kept too, which needs its sloppiness; nothing here uses __TIME__.
find_program(BERTH_CCACHE ccache)
if(BERTH_CCACHE)
  set(berth_launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros)
  if(BERTH_CCACHE_RELATIVE)
    list(APPEND berth_launcher "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}" CCACHE_NOHASHDIR=1)
  endif()
  list(APPEND berth_launcher "${BERTH_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER ${berth_launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${berth_launcher})
endif()

# Two precompiled headers, one for libraries and one for tests, take two thirds off what a source costs before its own first line.
# Tests are compiled without optimisation; what they test is compiled as it is shipped.
option(BERTH_PCH "Precompile the headers that most sources include" ON)
set(berth_is_test $<BOOL:$<TARGET_PROPERTY:BERTH_IS_TEST>>)

add_library(berth_flags INTERFACE)
target_include_directories(berth_flags INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(berth_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Werror
  $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>)
target_compile_definitions(berth_flags INTERFACE _GNU_SOURCE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION
  BERTH_VERSION="${PROJECT_VERSION}")

set(berth_collects_less --param=ggc-min-expand=200 --param=ggc-min-heapsize=600000)  # collecting garbage costs the compiler 7 %
if(BERTH_SANITIZE)
  # With a sanitizer, coroutines cost twice the time of compiling when they are optimised; they wait more than they work.
  set(berth_is_quick $<OR:${berth_is_test},$<BOOL:$<TARGET_PROPERTY:BERTH_HAS_COROUTINES>>>)
  target_compile_options(berth_flags INTERFACE -fsanitize=${BERTH_SANITIZE} -fno-omit-frame-pointer -g1 ${berth_collects_less} $<IF:${berth_is_quick},-O0,-O1>)
  target_link_options(berth_flags INTERFACE -fsanitize=${BERTH_SANITIZE})
  if(BERTH_SANITIZE STREQUAL "address")
    target_compile_options(berth_flags INTERFACE --param asan-instrumentation-with-call-threshold=0)  # checks are calls: a fifth less to compile
  elseif(BERTH_SANITIZE STREQUAL "thread")
    target_compile_definitions(berth_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
    target_compile_options(berth_flags INTERFACE -Wno-tsan)
  elseif(BERTH_SANITIZE STREQUAL "undefined")
    # With its checks in between, the compiler takes objects in an expected's union for overrun.
    target_compile_options(berth_flags INTERFACE -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-maybe-uninitialized)
    target_compile_options(berth_flags INTERFACE -fno-sanitize-recover=all)
  endif()
else()
  # A release carries line tables, enough for a stack trace, at a third of the link time of full debug information.
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
  # What nothing calls is left out, which takes an eighth off berthd.
  target_compile_options(berth_flags INTERFACE -fstack-protector-strong ${berth_collects_less} $<IF:${berth_is_test},-O0,-D_FORTIFY_SOURCE=2>
    $<$<NOT:${berth_is_test}>:-ffunction-sections> $<$<NOT:${berth_is_test}>:-fdata-sections>)
  target_link_options(berth_flags INTERFACE -Wl,-z,relro,-z,now $<$<NOT:${berth_is_test}>:-Wl,--gc-sections>)
endif()

# A build from nothing takes half the time when several sources are compiled at once (CMake's unity builds); a change of one file is cheaper
# without. So names in anonymous namespaces are unique in their library, and in their test program.
option(BERTH_UNITY "Compile several sources of a library at once" OFF)
if(NOT BERTH_UNITY)  # g++ 12 says it of what is right, after what it happens to inline; in the builds of CI nothing may be said
  target_compile_options(berth_flags INTERFACE -Wno-error=maybe-uninitialized)
endif()

# berth_unite(TARGET N): N sources at once, where asked for.
function(berth_unite target sources_at_once)
  if(BERTH_UNITY)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${sources_at_once})
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)  # a source is no longer a file of its own
  endif()
endfunction()

# Small rather than quick.
set(berth_small $<$<CONFIG:RelWithDebInfo>:-Os>)

# What most sources include. Libraries that have coroutines add Asio's, which need core_io in the program; tests add GoogleTest's. Whoever uses
# a precompiled header is compiled with its flags, and with the definitions that it has seen; so what is to be small has its own.
set(berth_common_headers
  <algorithm> <array> <cerrno> <charconv> <chrono> <cstring> <expected> <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional> <set>
  <span> <stop_token> <string> <string_view> <thread> <utility> <variant> <vector> <fmt/core.h>)

# berth_precompiled(TARGET library_headers|coroutine_headers|test_headers|small_library_headers|small_coroutine_headers): TARGET's sources see those
# headers precompiled.
function(berth_precompiled target headers)
  if(NOT BERTH_PCH)
    return()
  endif()
  if(NOT TARGET ${headers})
    file(CONFIGURE OUTPUT ${headers}.cc CONTENT "// Compiled for its precompiled header.\n")
    add_library(${headers} OBJECT "${CMAKE_CURRENT_BINARY_DIR}/${headers}.cc")
    target_link_libraries(${headers} PRIVATE berth_flags dep_asio fmt::fmt)
    target_precompile_headers(${headers} PRIVATE ${berth_common_headers})
    if(headers MATCHES "^small_")
      target_compile_options(${headers} PRIVATE ${berth_small})
    endif()
    if(headers MATCHES "coroutine_headers")
      set_target_properties(${headers} PROPERTIES BERTH_HAS_COROUTINES ON)
      target_precompile_headers(${headers} PRIVATE <boost/asio/awaitable.hpp>)
    elseif(headers STREQUAL "test_headers")
      set_target_properties(${headers} PROPERTIES BERTH_IS_TEST ON POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${headers} PRIVATE -fPIE)
      target_link_libraries(${headers} PRIVATE GTest::gmock)
      target_precompile_headers(${headers} PRIVATE <gmock/gmock.h> <gtest/gtest.h>)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${headers})
  target_link_libraries(${target} PRIVATE fmt::fmt)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)  # for ccache
endfunction()

# berth_library(NAME [WAITS] SOURCES a.cc … [USES lib …] [PRIVATE lib …])
#   USES are seen by whoever includes this library's headers; PRIVATE ones only by its sources. WAITS: its code waits for others more than it
#   works, or seldom works, so that a release has it small rather than quick.
function(berth_library name)
  cmake_parse_arguments(arg "WAITS" "" "SOURCES;USES;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC berth_flags ${arg_USES} PRIVATE ${arg_PRIVATE})
  set(small "")
  if(arg_WAITS AND NOT BERTH_SANITIZE)
    set(small "small_")
    target_compile_options(${name} PRIVATE ${berth_small})
  endif()
  if("core_io" IN_LIST arg_USES OR "core_io" IN_LIST arg_PRIVATE OR "dep_asio" IN_LIST arg_USES)
    set_target_properties(${name} PROPERTIES BERTH_HAS_COROUTINES ON)
    berth_precompiled(${name} ${small}coroutine_headers)
    berth_unite(${name} 12)  # they have most of Asio's templates in common
  else()
    berth_unite(${name} 6)
    berth_precompiled(${name} ${small}library_headers)
  endif()
endfunction()

# berth_test_program(NAME SOURCES a.cc … [USES lib …]): a program that only tests use.
function(berth_test_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE berth_flags ${arg_USES} GTest::gmock)
  set_target_properties(${name} PROPERTIES BERTH_IS_TEST ON)
  berth_precompiled(${name} test_headers)
endfunction()

# berth_tests(LIBRARY SOURCES a_test.cc … [USES lib …]): one test program for the folder, `<library>_test`.
function(berth_tests library)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  berth_test_program(${library}_test SOURCES ${arg_SOURCES} USES ${library} ${arg_USES} GTest::gtest_main)
  berth_unite(${library}_test 4)
  set(properties TIMEOUT 120)
  if(BERTH_SANITIZE STREQUAL "thread")
    list(APPEND properties ENVIRONMENT TSAN_OPTIONS=die_after_fork=0)  # for tests that fork a berthd to kill it
  endif()
  gtest_discover_tests(${library}_test TEST_PREFIX "${library}." DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()

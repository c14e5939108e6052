# Writes OUT, a source that knows what was built: cmake -DSOURCE=… -DOUT=… -DCOMPILER=… -DPLATFORM=… -P BuildInfo.cmake. The version is that of
# packaging/version.sh, or BERTH_SOURCE_VERSION of the environment, where a package is made of files without their history.
set(version "$ENV{BERTH_SOURCE_VERSION}")
if(version STREQUAL "")
  execute_process(COMMAND "${SOURCE}/packaging/version.sh" OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
  execute_process(COMMAND git -c "safe.directory=${SOURCE}" -C "${SOURCE}" diff --quiet HEAD RESULT_VARIABLE differs OUTPUT_QUIET ERROR_QUIET)
  if(differs EQUAL 1)
    string(APPEND version ", changed")
  endif()
endif()
file(CONFIGURE OUTPUT "${OUT}" CONTENT [[// Written by cmake/BuildInfo.cmake.
#include "core/build_info/build_info.h"

namespace berth {

const char* source_version() { return "@version@"; }

std::string version_text(const std::string& program) { return program + " " BERTH_VERSION "\nbuilt from @version@ by @COMPILER@ for @PLATFORM@"; }

}  // namespace berth
]] @ONLY)

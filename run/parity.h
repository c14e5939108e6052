#pragma once

#include <string>
#include <vector>

#include "core/publish/environment.h"
#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::run {

/// In what two environments of an app are not alike, a line each: "LEVEL: \"debug\" in dev, \"info\" in production". Values of secrets are not told. Blocking:
/// configuration files are compared by their content.
Result<std::vector<std::string>> differences(const spec::AppSpec& spec, const publish::Environment& one, const publish::Environment& other);

}  // namespace berth::run

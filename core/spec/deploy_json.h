#pragma once

#include <boost/json/value.hpp>

#include "core/result.h"
#include "core/spec/deploy.h"

namespace berth::spec {

/// What a spec's JSON has as `deploy`; what only some strategies have is there with those alone.
boost::json::value deploy_json(const Deploy& deploy);
/// Refuses unknown and missing members, and any other form of the same, with `Errc::trust`.
Result<Deploy> deploy_from(const boost::json::value& json);

}  // namespace berth::spec

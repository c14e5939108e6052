#pragma once

#include <string>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/trust/client.h"

namespace berth::release_file {

/// `Errc::not_found` of a release that `client` has looked for: "web/qa@v9 is not in the repository; the newest there: v5, v4".
std::unexpected<Error> not_there(trust::Client& client, const ReleaseRef& wanted);

/// What to say beside that a release is not in a repository: "the newest there: v5, v4, v3", "there: 2026-11-29, 2026-11-28" where ids were given and nothing tells which is
/// newer, or "there is no release of web/production". `client` has looked for it; empty where it cannot tell.
std::string others_there(trust::Client& client, const ReleaseRef& wanted);

/// The text of those ids, which may be none of `wanted`'s. Pure.
std::string text_of_others(std::vector<std::string> ids, const ReleaseRef& wanted);

}  // namespace berth::release_file

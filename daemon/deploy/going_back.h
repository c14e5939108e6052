#pragma once

#include <optional>
#include <string>

#include "core/result.h"
#include "daemon/store/store.h"

namespace berth::deploy {

/// A release on the node that was active before, and that only its rejection keeps from being gone back to. Blocking.
Result<std::optional<store::Rejected>> rejected_before(store::Store& store, const std::string& app, const std::string& active);

/// What is said of a release that is to be gone back to and is not on the node: how it comes here, which a rejected one does by force alone. Blocking.
Error missing_release(store::Store& store, const std::string& app, const std::string& release);

}  // namespace berth::deploy

#pragma once

#include <string>

#include "core/trust/client.h"
#include "daemon/fetch/fetch.h"

namespace berth::fetch {

/// What somebody had in mind who asked for a release that is not there, in parentheses behind a space: a channel, or the number of a release; empty where nobody knows.
std::string meant(trust::Client& client, const Repository::Listed& wanted);

}  // namespace berth::fetch

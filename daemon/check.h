#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "daemon/config/config.h"

namespace berth {

/// What `berthd --check` says of a configuration that can be read: what a start or a reload would refuse, or could not do, as far as that is known without
/// changing anything, running a command or asking anybody. Secrets that lie in no file are berthd's alone, and are not looked at. Fails with `Errc::usage`; the
/// value is what may be meant so and is worth a word, a line each.
Result<std::vector<std::string>> check_config(const config::Config& config);

/// Why the node's root of trust cannot be pinned, which the first look at the repository would: its file is not there, or is none. Empty where it can, or where one is
/// pinned already, so that the file is not asked any more.
std::string trouble_of_root(const config::Config& config);

/// What a reload would take over only at the next start and would fail then: a token or a password in a file that is not there, or is none, of those that are others than
/// before. Fails with `Errc::usage`.
Result<void> check_changed_secrets(const config::Config& running, const config::Config& said);

}  // namespace berth

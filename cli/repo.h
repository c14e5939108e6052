#pragma once

#include <filesystem>
#include <string>

#include "cli/command.h"

namespace berth::cli {

// The verbs below `berth repo`, a file for each.
Verb repo_init_verb();
Verb repo_status_verb();
Verb repo_verify_verb();
Verb repo_refresh_verb();
Verb repo_delegate_verb();
Verb repo_revoke_verb();
Verb repo_accept_verb();
Verb repo_rotate_verb();
Verb repo_sign_verb();
Verb repo_gc_verb();
Verb repo_push_verb();

/// The argument of all of them.
inline Argument repository_argument(std::string& into) { return {"DIR", "the repository's folder", &into, Completes::folder}; }

}  // namespace berth::cli

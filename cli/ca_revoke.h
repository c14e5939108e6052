#pragma once

#include "cli/command.h"

namespace berth::cli {

/// `berth ca revoke` and `berth ca crl`.
Verb ca_revoke_verb();
Verb ca_crl_verb();

}  // namespace berth::cli

#pragma once

#include "cli/doctor/finding.h"
#include "cli/doctor/subject.h"
#include "daemon/store/database.h"

namespace berth::cli::doctor {

/// A finding for each app that has rejected releases: a warning where one of them is what runs, what is followed or what was deployed last. Those that were
/// never on the node are left out unless they are that. Fails as the database does.
Result<void> check_rejected(store::Database& database, const Subject& subject, Findings& findings);

}  // namespace berth::cli::doctor

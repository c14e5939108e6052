#pragma once

#include <string>
#include <vector>

#include "cli/doctor/subject.h"
#include "core/result.h"

namespace berth::cli::doctor {

/// A file of a bundle.
struct Member {
  std::string name;  ///< "status.json"
  std::string content;
};

/// What somebody who helps from afar wants to see: configuration, status, the end of the events and of berthd's log, versions, and `findings` (JSON). Nothing
/// of it has a secret that this node knows of, see `scrub`. `log`: the file of berthd's log; empty: it is the journal's.
std::vector<Member> bundle_members(const Subject& subject, const std::string& findings, const fs::path& log);

/// Packs them below a folder, for root alone (mode 0600). `file` ends with .tar.zst or .tar.gz (`Errc::usage`), and is not there yet (`Errc::exists`).
Result<void> write_bundle(const fs::path& file, const std::vector<Member>& members, Clock::time_point at);

/// Whether a bundle can be written to `file` with what is in `log` (empty: the journal), before anything is looked at. Fails as `write_bundle` does for a name
/// that it does not take, and with `Errc::permission` for who is not root: what is secret here, and is to be taken out, root alone can read.
Result<void> check_bundle(const fs::path& file, const fs::path& log, bool is_root);

}  // namespace berth::cli::doctor

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include <boost/json/array.hpp>
#include <fmt/core.h>

#include "cli/output/text.h"
#include "cli/publishing.h"
#include "cli/repo.h"
#include "cli/repo_status.h"
#include "core/publish/accept.h"

namespace berth::cli {
namespace {

struct RepoAcceptOptions {
  std::string folder, incoming;
  std::vector<std::string> roles;  ///< whose acceptance the exit code tells; none: everybody's
  SigningOptions signing;
};

void tell_json(const Console& console, const publish::Acceptance& done, const std::vector<std::string>& notes) {
  boost::json::array accepted, refused;
  for (const publish::AcceptedRole& one : done.accepted)
    accepted.push_back({{"role", one.role},
                        {"version", one.version},
                        {"targets", boost::json::array(one.targets.begin(), one.targets.end())},
                        {"new_bytes", one.new_bytes}});
  for (const publish::RefusedRole& one : done.refused)
    refused.push_back({{"role", one.role}, {"code", to_string(one.error.code)}, {"reason", one.error.message}});
  console.document(boost::json::object{{"accepted", std::move(accepted)}, {"refused", std::move(refused)},
                                       {"notes", boost::json::array(notes.begin(), notes.end())}});
}

/// Whether something was refused of whom the exit code is about.
bool is_refused(const publish::Acceptance& done, const std::vector<std::string>& roles) {
  return std::ranges::any_of(done.refused, [&](const publish::RefusedRole& one) { return roles.empty() || std::ranges::find(roles, one.role) != roles.end(); });
}

/// Whether a role is among those that handed something in.
bool handed_in(const publish::Acceptance& done, const std::string& role) {
  return std::ranges::find(done.accepted, role, &publish::AcceptedRole::role) != done.accepted.end() || std::ranges::find(done.refused, role, &publish::RefusedRole::role) != done.refused.end();
}

/// What became of the others where one was refused, since the exit code says that something was.
std::string others_text(const publish::Acceptance& done) {
  std::vector<std::string> roles;
  for (const publish::AcceptedRole& one : done.accepted) roles.push_back(fmt::format("{} (version {})", one.role, one.version));
  return roles.empty() ? "nothing else was handed in" : fmt::format("accepted all the same: {}", joined(roles));
}

Result<Exit> accept(const Console& console, const RepoAcceptOptions& options) {
  BERTH_TRY(const auto repository, publisher_repository("repo accept", options.folder, options.signing, options.incoming));
  if (std::error_code unreadable; !options.incoming.empty() && !std::filesystem::exists(options.incoming, unreadable) && !unreadable)
    return fail(Errc::not_found, fmt::format("berth repo accept: --incoming {}: there is no such folder", options.incoming));
  BERTH_TRY(const auto done, publish::accept_incoming(repository));
  const auto warnings = expiry_warnings(options.folder);
  const Exit exit = is_refused(done, options.roles) ? Exit::trust : Exit::ok;
  if (console.json) {
    tell_json(console, done, warnings);
    return exit;
  }
  for (const publish::AcceptedRole& one : done.accepted) {
    console.line(fmt::format("{}: version {} is published, {} new", one.role, one.version, bytes_text(one.new_bytes)));
    for (const std::string& target : one.targets) console.note("  " + target);
  }
  for (const publish::RefusedRole& one : done.refused) console.warn(fmt::format("{} is refused: {}", printable(one.role), printable(one.error.message)));
  if (!done.refused.empty()) console.warn(others_text(done));
  for (const std::string& warning : warnings) console.warn(warning);
  if (done.accepted.empty() && done.refused.empty()) console.note("nothing was handed in");
  else
    for (const std::string& role : options.roles)
      if (!handed_in(done, role)) console.note(fmt::format("nothing of {} was handed in", role));
  return exit;
}

}  // namespace

Verb repo_accept_verb() {
  auto o = std::make_shared<RepoAcceptOptions>();
  return {.name = "accept",
          .summary = "Publish what delegated roles handed in",
          .text = "Verifies each role by itself: keys, versions, paths, hashes; names are never replaced. What breaks a rule stays where it is, the "
                  "rest is published. Needs the keys of snapshot and timestamp; by hand or by a timer. Ends with 4 when something was refused: of anybody, or of the roles that --role names, "
                  "as a pipeline does that is not to fail for another app.",
          .examples = {"berth repo accept ./repo", "berth repo accept ./repo --incoming /srv/handed-in", "berth repo accept ./repo --role web # ends with 4 only where what web handed in was refused"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder)},
          .options = with_signing({{"--role", "ROLE", "the exit code is about what this one handed in, which is called as its app is; all are accepted (repeatable)", &o->roles}, incoming_option(o->incoming), wait_option(o->signing.wait)}, o->signing),
          .action = [o](Console& console) { return accept(console, *o); }};
}

}  // namespace berth::cli

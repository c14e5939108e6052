#include <chrono>
#include <memory>

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/publishing.h"
#include "cli/repo.h"
#include "cli/repo_status.h"
#include "core/files/files.h"
#include "core/trust/keyring.h"
#include "core/trust/repository.h"
#include "core/trust/repository_files.h"
#include "core/trust/root_change.h"
#include "core/trust/role_writer.h"

namespace berth::cli {
namespace {

struct RepoRefreshOptions {
  std::string folder, only, role, incoming, out;
  std::vector<std::string> drop;
  bool vouch = false;
  SigningOptions signing;
};

/// The next root with the same keys.
Result<Exit> refresh_root(const Console& console, const RepoRefreshOptions& options, const trust::Keyring& keys, trust::RepositoryWriter& writer) {
  if (options.out.empty()) {
    const auto signers = keys.enough_for("root", writer.files().root.root, options.folder);
    if (!signers) return fail(signers.error().code, signers.error().message + "; where it is elsewhere: --out FILE, and 'berth repo sign' there");
  }
  BERTH_TRY(const std::string draft, writer.draft_root({}));
  if (!options.out.empty()) {
    BERTH_CHECK(files::replace(options.out, draft));
    console.line(fmt::format("{}: to be signed by the root keys: berth repo sign {} --key FILE; then: berth repo rotate {} --in {}", options.out, options.out,
                             options.folder, options.out));
    return Exit::ok;
  }
  BERTH_CHECK(writer.replace_root(draft));
  return tell_roles(console, options.folder, writer.state(), std::chrono::system_clock::now());
}

Result<Exit> refresh_own(const Console& console, const RepoRefreshOptions& options) {
  if (!options.only.empty() && options.only != "timestamp" && options.only != "root")
    return fail(Errc::usage, fmt::format("berth repo refresh: --only {}: it is 'timestamp' or 'root' that can be signed alone", options.only));
  if (!options.out.empty() && options.only != "root") return fail(Errc::usage, "berth repo refresh: --out is for --only root");
  const auto now = std::chrono::system_clock::now;
  BERTH_TRY(auto keys, keyring_of(options.signing, options.folder));
  BERTH_TRY(const auto wait, wait_of(options.signing));
  BERTH_TRY(auto writer, trust::RepositoryWriter::open(options.folder, keys, now, {}, wait));
  if (options.only == "root") return refresh_root(console, options, keys, writer);
  BERTH_CHECK(writer.refresh(options.only.empty() ? trust::RefreshScope::all : trust::RefreshScope::timestamp_only));
  return tell_roles(console, options.folder, writer.state(), now());
}

/// A delegated role is signed by its own keeper and handed in.
Result<Exit> refresh_role(const Console& console, const RepoRefreshOptions& options) {
  BERTH_TRY(auto keys, keyring_of(options.signing, options.folder));
  BERTH_TRY(const auto wait, wait_of(options.signing));
  const std::filesystem::path incoming = options.incoming.empty() ? trust::incoming_of(options.folder) : std::filesystem::path(options.incoming);
  BERTH_TRY(auto writer,
            trust::RoleWriter::open(options.folder, incoming, options.role, std::move(keys), std::chrono::system_clock::now, options.vouch, {}, wait));
  for (const std::string& name : options.drop) BERTH_CHECK(writer.drop(name));
  BERTH_CHECK(writer.refresh());
  if (console.json) {
    console.document(boost::json::object{{"role", options.role}, {"version", writer.version()}, {"handed_in", writer.file().string()},
                                         {"missing_signatures", writer.missing_signatures()}});
    return Exit::ok;
  }
  console.line(fmt::format("{}: version {} of role {} is signed", options.folder, writer.version(), options.role));
  console.note(next_step(writer.file(), writer.missing_signatures(), options.folder));
  return Exit::ok;
}

Result<Exit> refresh(const Console& console, const RepoRefreshOptions& options) {
  if (!options.role.empty()) return refresh_role(console, options);
  if (options.vouch || !options.drop.empty()) return fail(Errc::usage, "berth repo refresh: --vouch and --drop are for a delegated role: --role ROLE");
  return refresh_own(console, options);
}

}  // namespace

Verb repo_refresh_verb() {
  auto o = std::make_shared<RepoRefreshOptions>();
  return {.name = "refresh",
          .summary = "Sign the metadata anew, so that it does not expire",
          .text = "Run it by a timer, once a day. With the timestamp key alone it signs that; with the snapshot key snapshot, too; with that of targets it "
                  "renews those as well when half of their time is over. With --role the keeper of a delegated role signs that one's next version.",
          .examples = {"berth repo refresh ./repo", "berth repo refresh ./repo --only timestamp # by a timer that has no other key",
                       "berth repo refresh ./repo --only root --key /media/usb/root.pem",
                       "berth repo refresh ./repo --role web --key ci-web.pem # then: berth repo accept ./repo"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder)},
          .options = with_signing({wait_option(o->signing.wait),
                                   {"--only", "ROLE", "sign nothing but timestamp, or root for another year", &o->only, Completes::nothing, "timestamp root"},
                                   {"--out", "FILE", "with --only root: write it here, to be signed elsewhere", &o->out, Completes::file},
                                   {"--role", "ROLE", "the delegated role whose keeper signs", &o->role},
                                   incoming_option(o->incoming),
                                   {"--vouch", "", "with --role: sign for what is published, though its present keys did not sign it", &o->vouch},
                                   {"--drop", "TARGET", "with --vouch: leave this target out, such as one that a thief signed; its id stays used", &o->drop}},
                                  o->signing),
          .action = [o](Console& console) { return refresh(console, *o); }};
}

}  // namespace berth::cli

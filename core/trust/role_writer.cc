#include "core/trust/role_writer.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/files/files.h"
#include "core/trust/handed_in.h"
#include "core/trust/repository_files.h"
#include "core/trust/repository_lock.h"
#include "core/trust/role_document.h"
#include "core/trust/target_files.h"

namespace berth::trust {

namespace fs = std::filesystem;

struct RoleWriter::State {
  fs::path repository, folder;
  std::string role;
  Keyring keys;
  std::function<WallTime()> now;
  bool vouch = false;
  Lifetimes lifetimes;
  Fd lock;

  RepositoryFiles files;
  json::object document;         ///< to go on from
  std::int64_t waiting = 0;      ///< the newest version that was handed in
  std::int64_t missing = 0;

  Result<void> read();
  Result<void> start_from_published(const DelegatedFile& published);
  void take(const HandedIn& handed);
  Result<void> hand_in();
  const Delegation& delegation() const { return files.role(role)->delegation; }
};

Result<void> RoleWriter::State::start_from_published(const DelegatedFile& published) {
  document = published.document;
  if (document.empty()) {
    document = role_document("targets");
    document["targets"] = json::object();
    document["version"] = files.listed_version(role);
  }
  if (published.trouble.empty() || vouch) return {};
  return fail(Errc::trust, fmt::format("what is published of role {} is not signed by its present keys ({}); read it, and sign for it with "
                                       "'berth repo refresh --role {} --vouch'",
                                       role, published.trouble, role));
}

/// A version that waits counts as published from here on.
void RoleWriter::State::take(const HandedIn& handed) {
  auto& targets = files.state.targets;
  for (const Target& target : handed.added) {
    std::erase_if(targets, [&](const Target& one) { return one.name == target.name; });
    targets.push_back(target);
  }
  std::ranges::sort(targets, {}, &Target::name);
  files.state.dropped.insert(handed.dropped.begin(), handed.dropped.end());
}

Result<void> RoleWriter::State::read() {
  BERTH_TRY(files, read_repository_files(repository));
  const DelegatedFile* published = files.role(role);
  if (published == nullptr) return fail(Errc::not_found, fmt::format("{}: no role '{}' is delegated", repository.string(), role));
  BERTH_CHECK(start_from_published(*published));

  BERTH_TRY(const HandedInFolder handed_in, HandedInFolder::open(folder));
  // What is published already has done its part here.
  for (const auto version : handed_in.versions(role))
    if (version <= published->version) handed_in.remove("metadata/" + numbered_file(role, version));
  auto chain = read_handed_in(files, role, handed_in, now(), [](std::string_view) { return true; });
  if (!chain) return pass(chain.error(), fmt::format("what waits in {}", folder.string()));
  waiting = 0;
  for (const HandedIn& handed : *chain) {
    take(handed);
    waiting = handed.version;
  }
  if (!chain->empty()) {
    BERTH_TRY(Envelope envelope, open_envelope(chain->back().bytes, role));
    document = std::move(envelope.content.get_object());
  }
  return {};
}

/// Writes the next version. Where fewer of the role's keys are at hand than must sign, the others do it in the file.
Result<void> RoleWriter::State::hand_in() {
  RoleKeys any = delegation().keys;
  any.threshold = 1;
  BERTH_TRY(auto signers, keys.enough_for(role, any, repository.string()));
  json::object next = document;
  renew(next, now() + lifetimes.targets);
  BERTH_TRY(const std::string bytes, signed_file(next, signers));
  BERTH_CHECK(files::make_directories(folder / "metadata"));
  BERTH_CHECK(files::replace(folder / "metadata" / numbered_file(role, version_of(next)), bytes));
  document = std::move(next);
  waiting = version_of(document);
  missing = std::max<std::int64_t>(0, delegation().keys.threshold - static_cast<std::int64_t>(signers.size()));
  return {};
}

RoleWriter::RoleWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
RoleWriter::~RoleWriter() = default;
RoleWriter::RoleWriter(RoleWriter&&) noexcept = default;
RoleWriter& RoleWriter::operator=(RoleWriter&&) noexcept = default;

Result<RoleWriter> RoleWriter::open(const fs::path& repository, const fs::path& incoming, const std::string& role, Keyring keys,
                                    std::function<WallTime()> now, bool vouch, const Lifetimes& lifetimes, std::chrono::milliseconds wait) {
  auto state = std::make_unique<State>();
  state->repository = repository;
  state->folder = incoming / role;
  state->role = role;
  state->keys = std::move(keys);
  state->now = std::move(now);
  state->vouch = vouch;
  state->lifetimes = lifetimes;
  BERTH_TRY(const RepositoryFiles files, read_repository_files(repository));
  if (files.role(role) == nullptr)
    return fail(Errc::not_found, fmt::format("{}: no role '{}' is delegated; 'berth repo delegate' does it", repository.string(), role));
  BERTH_CHECK(files::make_directories(state->folder));
  BERTH_TRY(state->lock, lock_folder(state->folder, wait));
  BERTH_CHECK(state->read());
  return RoleWriter(std::move(state));
}

Result<void> RoleWriter::add_targets(const std::map<std::string, std::string>& targets, const std::map<std::string, std::string>& pointers) {
  BERTH_TRY(const auto added, new_targets(state_->files.state, targets, pointers));
  for (const auto& [name, bytes] : added)
    if (!state_->delegation().covers(name))
      return fail(Errc::usage, fmt::format("'{}' is outside of what {} delegates to role {}", name, state_->repository.string(), state_->role));
  if (added.empty()) return {};
  json::object before = state_->document;
  const auto written = write_targets(state_->folder / "targets", added, state_->document["targets"].as_object());
  const auto done = written ? state_->hand_in() : written;
  if (!done) {
    state_->document = std::move(before);
    return done;
  }
  return state_->missing == 0 ? state_->read() : done;  // one that waits for signatures is not believed yet
}

Result<void> RoleWriter::refresh() { return state_->hand_in(); }

Result<void> RoleWriter::drop(const std::string& name) {
  if (state_->vouch && state_->document["targets"].as_object().erase(name) > 0) {
    add_dropped(state_->document, {name});
    return {};
  }
  return fail(Errc::not_found, fmt::format("role {} lists no '{}' that could be left out", state_->role, name));
}

const RepositoryState& RoleWriter::state() const { return state_->files.state; }
fs::path RoleWriter::folder() const { return state_->folder; }
std::int64_t RoleWriter::version() const { return state_->waiting; }
fs::path RoleWriter::file() const { return state_->folder / "metadata" / numbered_file(state_->role, state_->waiting); }
std::int64_t RoleWriter::missing_signatures() const { return state_->missing; }

}  // namespace berth::trust

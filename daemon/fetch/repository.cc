#include <algorithm>
#include <mutex>
#include <optional>

#include <fmt/core.h>

#include "core/bundle/channel.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/ids.h"
#include "core/io/url.h"
#include "core/release_file/others.h"
#include "core/trust/http_remote.h"
#include "core/trust/limits.h"
#include "daemon/fetch/blob_fetch.h"
#include "daemon/fetch/channel_floor.h"
#include "daemon/fetch/fetch.h"
#include "daemon/fetch/meant_release.h"
#include "daemon/fetch/mirrors.h"
#include "daemon/fetch/retrying_remote.h"
#include "daemon/fetch/sealed_release.h"
#include "daemon/fetch/trust_clock.h"

namespace berth::fetch {
namespace {

using trust::WallTime;

constexpr std::chrono::minutes kMostMetadataTime{2};  ///< for one file of metadata
constexpr std::chrono::hours kReadWholeEvery{1};      ///< also where timestamp.json has not changed
constexpr const char* kReadFrom = "read_from";        ///< in the trust folder: the url that was read last
constexpr std::size_t kLongestUrl = 4096;
constexpr std::chrono::milliseconds kTurnPause{20};   ///< between two looks whether another refresh is over

/// What one call talks to the repository with.
struct Session {
  std::unique_ptr<trust::Remote> metadata, targets;
  std::unique_ptr<trust::Client> client;
};

/// What was signed for under a name.
struct Signed {
  trust::Target target;
  std::string text;
};

/// `web/production/v42.json`, taken apart; nothing where it is no release's name.
std::optional<Repository::Listed> release_of(std::string_view target) {
  constexpr std::string_view kEnd = ".json";
  const auto first = target.find('/');
  const auto second = target.find('/', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos || !target.ends_with(kEnd)) return std::nullopt;
  Repository::Listed found{.app = std::string(target.substr(0, first)),
                           .environment = std::string(target.substr(first + 1, second - first - 1)),
                           .release = std::string(target.substr(second + 1, target.size() - second - 1 - kEnd.size()))};
  if (!is_name(found.app) || !is_name(found.environment) || !is_release_id(found.release)) return std::nullopt;
  return found;
}

/// A manifest is signed for under a name; it must be the one of that name.
Result<void> check_names(const bundle::Manifest& manifest, const std::string& app, const std::string& environment, const std::string& release) {
  const auto check = [](std::string_view what, const std::string& says, const std::string& asked) -> Result<void> {
    if (says == asked) return {};
    return fail(Errc::trust, fmt::format("its manifest is of another {}, '{}': whoever signed it made a mistake, or worse", what, says));
  };
  BERTH_CHECK(check("app", manifest.app, app));
  BERTH_CHECK(check("environment", manifest.environment, environment));
  return check("release", manifest.release, release);
}

/// Empty where it was not found, or is listed by another hash alone.
std::string sha256_of(const Result<trust::Target>& target) {
  if (!target) return {};
  const auto sha256 = target->hashes.find("sha256");
  return sha256 == target->hashes.end() ? std::string() : sha256->second;
}

/// Without a repository nobody is asked; what was taken from files is looked at.
std::vector<std::string> all_places(const RepositoryOptions& options) {
  std::vector<std::string> urls{options.url.empty() ? options.trust_directory.string() : options.url};
  urls.insert(urls.end(), options.mirrors.begin(), options.mirrors.end());
  return urls;
}

}  // namespace

struct Repository::State {
  explicit State(RepositoryOptions its_options)
      : options(std::move(its_options)),
        mirrors(all_places(options), options.note),
        partial(options.partial_directory),
        clock(options.trust_directory, WallTime(std::chrono::seconds(options.build_time))) {}

  Result<Session> open(const std::stop_token& stop);
  Result<std::unique_lock<std::mutex>> take_turn(const std::stop_token& stop);
  Result<void> pin(trust::Client& client);
  Result<void> refresh(Session& session);
  /// Does `work`, which refreshes, at a place where that goes well.
  template <class Work>
  std::invoke_result_t<const Work&> at_a_good_place(const Work& work) {
    return options.offline ? work() : fetch::at_a_good_place(mirrors, work);
  }
  Result<Signed> read_release(Session& session, const Listed& release);
  Result<Resolved> resolve(Session& session, const std::string& app, const std::string& environment, const std::string& release);
  std::optional<Glance> look(const Followed& followed, const std::stop_token& stop);
  bool says_the_same(const Followed& followed, const Glance& seen);
  Result<Wanted> follow(Session& session, const Followed& followed);
  Result<io::FetchOptions> access() const;
  io::FetchOptions access_at(const std::string& place, io::FetchOptions whole) const;
  Result<std::unique_ptr<BlobSource>> blobs();
  void note(const trust::Client& client, std::string error);
  /// Counts a refusal; the error as it is.
  Error refused(Error error);
  /// The same of a blob that a manifest names.
  Error refused(Error error, const bundle::BlobRef& ref) {
    return refused(trust::of_listed_file(std::move(error), bundle::blob_path(ref.sha256), "which the release's manifest names"));
  }

  RepositoryOptions options;
  Mirrors mirrors;
  PartialBlobs partial;
  std::shared_ptr<io::Pace> pace = io::shared_pace(options.bytes_per_second);  ///< of all that is fetched
  TrustClock clock;  ///< for whoever has his turn
  bool reads_here = true;  ///< the last successful refresh was of this url; likewise
  bool is_noted = false;   ///< the trust folder says so
  std::mutex turn;   ///< of the one who changes the trusted metadata
  mutable std::mutex mutex;
  TrustStatus status;  ///< guarded by `mutex`
};

/// How every request is made. What says who we are may have changed since the last.
Result<io::FetchOptions> Repository::State::access() const {
  io::FetchOptions fetch = fetch_options(options.tls);
  fetch.proxy = options.proxy;
  fetch.bytes_per_second = options.bytes_per_second;
  fetch.pace = pace;
  if (!options.authorization) return fetch;
  auto authorization = options.authorization();
  if (!authorization) {
    // A token's file that is missing is no release that is.
    if (authorization.error().code == Errc::not_found) authorization.error().code = Errc::io;
    return pass(std::move(authorization.error()), "access to the repository ([repository] in berthd.toml)");
  }
  fetch.authorization = authorization->view();
  return fetch;
}

/// What of that a place may see. The token or password is for the origin of [repository] url; a mirror elsewhere is no business of its.
io::FetchOptions Repository::State::access_at(const std::string& place, io::FetchOptions whole) const {
  const auto here = io::parse_url(place);
  const auto home = io::parse_url(options.url);
  if (!here || !home || !io::is_same_origin(*here, *home)) whole.authorization.clear();
  return whole;
}

Result<std::unique_ptr<BlobSource>> Repository::State::blobs() {
  BERTH_TRY(const io::FetchOptions fetch, access());
  std::vector<std::unique_ptr<BlobSource>> sources;
  for (const std::string& url : mirrors.urls()) {
    BERTH_TRY(auto source, blob_source_at(url, access_at(url, fetch)));
    sources.push_back(std::move(source));
  }
  return mirrored(mirrors, std::move(sources));
}

Result<Session> Repository::State::open(const std::stop_token& stop) {
  BERTH_TRY(io::FetchOptions fetch, access());
  fetch.total_timeout = kMostMetadataTime;
  const auto at = [&](std::string_view below) -> Result<std::unique_ptr<trust::Remote>> {
    std::vector<std::unique_ptr<trust::Remote>> remotes;
    for (const std::string& url : mirrors.urls()) {
      BERTH_TRY(auto remote, trust::remote_at(url, below, access_at(url, fetch), stop));
      remotes.push_back(std::move(remote));
    }
    return std::make_unique<RetryingRemote>(mirrored(mirrors, std::move(remotes)), stop);
  };
  Session session;
  BERTH_TRY(session.metadata, at("metadata"));
  BERTH_TRY(session.targets, at("targets"));
  session.client = std::make_unique<trust::Client>(options.trust_directory, *session.metadata,
                                                   [this] { return clock.believed(std::chrono::system_clock::now()); });
  return session;
}

Result<std::unique_lock<std::mutex>> Repository::State::take_turn(const std::stop_token& stop) {
  std::unique_lock lock(turn, std::defer_lock);
  while (!lock.try_lock()) BERTH_CHECK(sleep_unless_stopped(kTurnPause, stop));
  return lock;
}

/// Pins the root that the node was given, if none is pinned yet.
Result<void> Repository::State::pin(trust::Client& client) {
  const auto root = files::read(options.root, trust::kMostRoot);
  if (!root) {
    std::error_code ignored;
    if (fs::exists(options.trust_directory / "root.json", ignored)) return {};
    return fail(Errc::usage, fmt::format("the repository's root of trust ([repository] root in berthd.toml): {}", root.error().message));
  }
  if (auto pinned = client.init(*root); !pinned) return pass(std::move(pinned.error()), options.root.string());
  return {};
}

void Repository::State::note(const trust::Client& client, std::string error) {
  const std::lock_guard guard(mutex);
  if (auto roles = client.roles(); !roles.empty()) status.roles = std::move(roles);
  if (reads_here) status.last_success = clock.last_success();
  status.last_error = std::move(error);
}

Error Repository::State::refused(Error error) {
  if (error.code != Errc::trust) return error;
  const std::lock_guard guard(mutex);
  ++status.refusals[std::string(rule_of_refusal(error.message))];
  return error;
}

Result<void> Repository::State::refresh(Session& session) {
  if (options.offline) {
    BERTH_CHECK(pin(*session.client));
    return session.client->load_local();
  }
  if (options.url.empty()) return fail(Errc::not_found, "berthd.toml names no [repository] url; releases come to this node as files ('berth import')");
  auto done = pin(*session.client);
  if (done) done = session.client->refresh();
  const WallTime now = std::chrono::system_clock::now();
  const std::string complaint = clock.complaint(now);
  if (done) done = clock.succeeded(now);
  if (done && !is_noted) done = files::replace(options.trust_directory / kReadFrom, options.url + "\n");
  if (done) reads_here = is_noted = true;
  if (!done && !complaint.empty()) done.error().message += fmt::format(" ({})", complaint);
  partial.tidy();
  if (done || done.error().code != Errc::cancelled) note(*session.client, done ? complaint : done.error().message);
  return done;
}

/// Refreshes, and reads that release.
Result<Signed> Repository::State::read_release(Session& session, const Listed& release) {
  BERTH_CHECK(refresh(session));
  auto target = session.client->find(bundle::target_name(release.app, release.environment, release.release));
  if (!target && target.error().code == Errc::not_found) {
    const std::string others = release_file::others_there(*session.client, {.app = release.app, .environment = release.environment, .release = release.release});
    return fail(Errc::not_found, fmt::format("no such release in the repository at {}{}{}{}", options.url, meant(*session.client, release), others.empty() ? "" : "; ", others));
  }
  BERTH_CHECK(target);
  BERTH_TRY(std::string text, session.client->download(*target, *session.targets));
  return Signed{.target = std::move(*target), .text = std::move(text)};
}

Result<Resolved> Repository::State::resolve(Session& session, const std::string& app, const std::string& environment, const std::string& release) {
  const Listed wanted{.app = app, .environment = environment, .release = release};
  BERTH_TRY(auto read, at_a_good_place([&] { return read_release(session, wanted); }));
  auto& [target, text] = read;
  BERTH_TRY(bundle::Manifest manifest, bundle::parse_manifest(text));
  BERTH_CHECK(check_names(manifest, app, environment, release));
  BERTH_CHECK(bundle::check_requirements(manifest, BERTH_VERSION));
  BERTH_TRY(bundle::BuildRef build, bundle::build_for(manifest, bundle::this_platform()));
  std::string digest = crypto::sha256_hex(text);
  return Resolved{.manifest = std::move(manifest), .manifest_text = std::move(text), .manifest_sha256 = std::move(digest), .build = std::move(build),
                  .signers = {.role = target.role, .keys = target.keys}};
}

/// A glance at the place that is asked at present. Nothing where it failed: the refresh that follows tries harder, and says what is wrong.
std::optional<Glance> Repository::State::look(const Followed& followed, const std::stop_token& stop) {
  const auto fetch = access();
  if (!fetch) return std::nullopt;
  const std::string& place = mirrors.urls()[mirrors.present()];
  auto seen = glance(place, followed.stamp, access_at(place, *fetch), stop);
  if (!seen) return std::nullopt;
  return std::move(*seen);
}

/// Whether what was found out before still holds. Where something was wrong meanwhile, it is read whole, so that it is known when that is over.
bool Repository::State::says_the_same(const Followed& followed, const Glance& seen) {
  if (!seen.unchanged || std::chrono::steady_clock::now() - followed.read_at >= kReadWholeEvery) return false;
  if (clock.believed(std::chrono::system_clock::now()) >= followed.fresh_until) return false;
  const std::lock_guard guard(mutex);
  return status.last_error.empty();
}

Result<Wanted> Repository::State::follow(Session& session, const Followed& followed) {
  BERTH_CHECK(refresh(session));
  const bool is_channel = !followed.channel.empty();
  const std::string name = is_channel ? bundle::channel_target(followed.app, followed.environment, followed.channel)
                                      : bundle::target_name(followed.app, followed.environment, followed.release);
  const auto target = session.client->find(name);
  if (!target && target.error().code == Errc::not_found)
    return fail(Errc::not_found, fmt::format("there is no such {} in the repository at {}", is_channel ? "channel" : "release", options.url));
  BERTH_CHECK(target);
  if (!is_channel) return Wanted{.release = followed.release};
  BERTH_TRY(const std::string text, session.client->download(*target, *session.targets));
  BERTH_TRY(const bundle::Channel channel, bundle::parse_channel(text));
  if (bundle::channel_target(channel.app, channel.environment, channel.channel) != name) {
    return fail(Errc::trust, fmt::format("what is signed for under its name is the channel {} of {}/{}: whoever signed it made a mistake, or worse",
                                         channel.channel, channel.app, channel.environment));
  }
  BERTH_CHECK(ChannelFloor(options.trust_directory).take(channel));
  return Wanted{.release = channel.release, .serial = channel.serial};
}

Repository::Repository(RepositoryOptions options) : state_(new State(std::move(options))) {
  // For status until the first refresh: what was held before.
  const auto read_from = files::read(state_->options.trust_directory / kReadFrom, kLongestUrl);
  state_->is_noted = read_from && *read_from == state_->options.url + "\n";
  state_->reads_here = state_->is_noted || !read_from;  // a berthd before this one noted nothing
  if (state_->reads_here) state_->status.last_success = state_->clock.last_success();
  if (const auto session = state_->open({}); session && session->client->load_local()) state_->status.roles = session->client->roles();
}

Repository::~Repository() = default;

Result<std::unique_lock<std::mutex>> Repository::take_turn(const std::stop_token& stop) { return state_->take_turn(stop); }

Result<Resolved> Repository::resolve(const std::string& app, const std::string& environment, const std::string& release, std::stop_token stop) {
  const std::string name = to_string(ReleaseRef{.app = app, .environment = environment, .release = release});
  if (!is_name(app) || !is_name(environment) || !is_release_id(release)) return fail(Errc::usage, fmt::format("'{}' can be no release", name));
  BERTH_TRY(Session session, state_->open(stop));
  BERTH_TRY(const auto turn, state_->take_turn(stop));
  auto resolved = state_->resolve(session, app, environment, release);
  if (!resolved) return pass(state_->refused(std::move(resolved.error())), name);
  return resolved;
}

Result<void> Repository::check_sealed(const ReleaseRef& release, const std::string& sealed, bool only_looked_at) {
  const auto listed = listed_manifest(state_->options, release);
  if (!listed) return {};
  auto same = check_same_release(release, sealed, *listed);
  if (!same && !only_looked_at) return std::unexpected(state_->refused(std::move(same.error())));
  return same;
}

Result<Wanted> Repository::follow(Followed& followed, std::stop_token stop) {
  const bool named = followed.channel.empty() ? is_release_id(followed.release) : is_name(followed.channel);
  const std::string name = followed.channel.empty()
                               ? to_string(ReleaseRef{.app = followed.app, .environment = followed.environment, .release = followed.release})
                               : fmt::format("channel {} of {}/{}", followed.channel, followed.app, followed.environment);
  if (!is_name(followed.app) || !is_name(followed.environment) || !named) return fail(Errc::usage, fmt::format("'{}' cannot be followed", name));
  auto seen = state_->look(followed, stop);
  BERTH_TRY(const auto turn, state_->take_turn(stop));
  if (seen && state_->says_the_same(followed, *seen)) return followed.wanted;
  followed.stamp = {};
  BERTH_TRY(Session session, state_->open(stop));
  auto wanted = state_->at_a_good_place([&] { return state_->follow(session, followed); });
  if (!wanted) wanted = std::unexpected(state_->refused(std::move(wanted.error())));
  if (!wanted && wanted.error().message.starts_with(name)) return wanted;
  if (!wanted) return pass(std::move(wanted.error()), name);
  followed.wanted = *wanted;
  followed.manifest_sha256 = sha256_of(session.client->find(bundle::target_name(followed.app, followed.environment, wanted->release)));
  followed.read_at = std::chrono::steady_clock::now();
  followed.fresh_until = WallTime::max();
  for (const trust::RoleState& role : session.client->roles()) followed.fresh_until = std::min(followed.fresh_until, role.expires);
  // What was seen first counts only where it is what was then verified.
  const auto held = files::read(state_->options.trust_directory / "timestamp.json", trust::kMostTimestamp);
  if (seen && held && seen->stamp.bytes == *held) followed.stamp = std::move(seen->stamp);
  return wanted;
}

Result<std::optional<Wanted>> Repository::remembered(const Followed& followed) const {
  if (followed.channel.empty()) return std::optional(Wanted{.release = followed.release});
  BERTH_TRY(const auto channel, ChannelFloor(state_->options.trust_directory).last(followed.app, followed.environment, followed.channel));
  if (!channel) return std::nullopt;
  return std::optional(Wanted{.release = channel->release, .serial = channel->serial});
}

Result<std::vector<Repository::Listed>> Repository::list(std::stop_token stop) {
  BERTH_TRY(Session session, state_->open(stop));
  BERTH_TRY(const auto turn, state_->take_turn(stop));
  if (auto refreshed = state_->at_a_good_place([&] { return state_->refresh(session); }); !refreshed) return std::unexpected(state_->refused(std::move(refreshed.error())));
  std::vector<Error> passed_over;
  BERTH_TRY(const auto targets, session.client->list(&passed_over));
  for (const Error& error : passed_over) static_cast<void>(state_->refused(error));
  if (!passed_over.empty()) state_->note(*session.client, passed_over.front().message);
  std::vector<Listed> releases;
  for (const trust::Target& target : targets) {
    if (auto release = release_of(target.name)) releases.push_back(std::move(*release));
  }
  return releases;
}

PartialBlobs& Repository::partial_blobs() { return state_->partial; }

const RepositoryOptions& Repository::options() const { return state_->options; }

TrustStatus Repository::trust() const {
  const std::lock_guard guard(state_->mutex);
  return state_->status;
}

Result<void> Repository::blob(const bundle::BlobRef& ref, const std::vector<std::string>& chunks, const fs::path& file, Progress& progress,
                              std::stop_token stop) {
  BERTH_TRY(const auto source, state_->blobs());
  BERTH_TRY(const auto part, state_->partial.hold(ref.sha256));
  auto fetched = fetch_blob(*source, ref, chunks, file, progress, std::move(stop), {}, part.path());
  if (fetched) return fetched;
  part.failed(fetched.error());
  return std::unexpected(state_->refused(std::move(fetched.error()), ref));
}

Result<std::string> Repository::small_blob(const bundle::BlobRef& ref, std::uint64_t most, std::stop_token stop) {
  BERTH_TRY(const auto source, state_->blobs());
  auto fetched = fetch_small_blob(*source, ref, most, std::move(stop));
  if (!fetched) return std::unexpected(state_->refused(std::move(fetched.error()), ref));
  return fetched;
}

}  // namespace berth::fetch

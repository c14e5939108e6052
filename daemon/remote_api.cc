#include "daemon/remote_api.h"

#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/config/values.h"

namespace berth {
namespace {

using Clock = std::chrono::system_clock;

constexpr std::chrono::hours kWeek{7 * 24};
constexpr std::chrono::seconds kUntilTriedAgain{5};
constexpr std::chrono::seconds kBetweenLooks{30};
constexpr std::chrono::seconds kBetweenRefusals{1};
constexpr std::size_t kMostRemote = 256;
constexpr std::size_t kMostRemotePerAddress = 32;
constexpr std::size_t kMostRemoteBody = 64u << 10;

api::Role role_of(config::ClientRole role) {
  switch (role) {
    case config::ClientRole::viewer: return api::Role::viewer;
    case config::ClientRole::deployer: return api::Role::deployer;
    case config::ClientRole::operator_: return api::Role::operator_;
    case config::ClientRole::admin: return api::Role::admin;
  }
  return api::Role::viewer;
}

}  // namespace

bool is_ending(Clock::time_point begins, Clock::time_point ends, Clock::time_point now) {
  return ends - now < std::min<Clock::duration>(kWeek, (ends - begins) / 5);
}

std::vector<api::Client> clients_of(const config::Config& config) {
  std::vector<api::Client> clients;
  for (const config::ApiClient& client : config.clients) clients.push_back({client.name, role_of(client.role), client.apps});
  return clients;
}

std::optional<std::string> Seldom::take(const std::string& line, io::Steady::time_point now) {
  if (last_ && now - *last_ < between_) {
    ++untold_;
    return {};
  }
  last_ = now;
  const auto untold = std::exchange(untold_, 0);
  return untold == 0 ? line : fmt::format("{} (and {} more since the last one)", line, untold);
}

RemoteApi::RemoteApi(io::Loop& loop, std::optional<config::RemoteApi> config, io::Handler handler)
    : loop_(loop),
      config_(std::move(config)),
      handshakes_(config_ ? std::make_unique<io::Pool>(1) : nullptr),
      server_(loop.executor(), std::move(handler), {.most_body = kMostRemoteBody, .most_connections = kMostRemote, .most_per_address = kMostRemotePerAddress}),
      refusals_(kBetweenRefusals) {}

void RemoteApi::start() {
  if (config_) loop_.spawn("remote api", watch());
}

awaitable<void> RemoteApi::watch() {
  while (!credentials_) {
    const auto listening = listen();
    if (!listening && listening.error().message != problem_) {
      problem_ = listening.error().message;
      spdlog::error("nobody is answered at [api] listen {}: {}; it is tried again", config::to_string(config_->listen), problem_);
    }
    if (!listening) co_await io::sleep_for(kUntilTriedAgain);
  }
  problem_.clear();
  spdlog::info("the control API is at {} for clients with a certificate", config::to_string(config_->listen));
  for (;;) {
    refresh();
    co_await io::sleep_for(kBetweenLooks);
  }
}

Result<void> RemoteApi::listen() {
  const io::TlsServerFiles files{.certificate_file = config_->certificate_file, .key_file = config_->key_file, .client_ca_file = config_->client_ca_file};
  BERTH_TRY(auto credentials, io::TlsCredentials::load(files, [this](io::TlsNews news, const std::string& what) { hear(news, what); }));
  BERTH_CHECK(server_.listen_tls(config_->listen.address, config_->listen.port, credentials, *handshakes_));
  if (const std::string open = config::open_secret("[api] key_file", config_->key_file); !open.empty()) spdlog::warn("{}", open);
  credentials_ = std::move(credentials);
  return {};
}

void RemoteApi::hear(io::TlsNews news, const std::string& what) {
  switch (news) {
    case io::TlsNews::exchanged:
      problem_.clear();
      told_of_end_ = false;
      spdlog::info("[api] has other certificates now, which end at {:%Y-%m-%dT%H:%M:%SZ} ({})", std::chrono::time_point_cast<std::chrono::seconds>(credentials_->ends()), what);
      return;
    case io::TlsNews::kept:
      problem_ = what;
      spdlog::error("[api] keeps the certificates that it has, since the files that are there now are wrong: {}", what);
      return;
    case io::TlsNews::refused:
      if (const auto line = refusals_.take(what, io::Steady::now())) spdlog::debug("api: refused {}", *line);
      return;
  }
}

void RemoteApi::refresh() {
  if (!credentials_) return;
  credentials_->refresh();
  tell_of_end();
}

void RemoteApi::tell_of_end() {
  if (told_of_end_ || !is_ending(credentials_->begins(), credentials_->ends(), Clock::now())) return;
  told_of_end_ = true;
  spdlog::warn("[api] certificate_file {} ends at {:%Y-%m-%dT%H:%M:%SZ}, and then no client believes this node: put a new one in its place, which is taken without a restart",
               config_->certificate_file.string(), std::chrono::time_point_cast<std::chrono::seconds>(credentials_->ends()));
}

std::optional<metrics::NodeStatus::RemoteApi> RemoteApi::status() const {
  if (!config_) return {};
  metrics::NodeStatus::RemoteApi status{.listen = config::to_string(config_->listen), .problem = problem_};
  if (!credentials_) return status;
  status.certificate_ends = credentials_->ends();
  status.is_ending = is_ending(credentials_->begins(), credentials_->ends(), Clock::now());
  return status;
}

}  // namespace berth

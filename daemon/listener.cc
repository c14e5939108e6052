#include "daemon/listener.h"

#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>

#include "core/io/listen.h"
#include "daemon/config/values.h"
#include "daemon/journal/message.h"
#include "daemon/route/port_owner.h"
#include "daemon/route/sock_diag.h"

namespace berth {
namespace {

using Clock = std::chrono::system_clock;

constexpr std::chrono::hours kWeek{7 * 24};
constexpr std::chrono::seconds kUntilTriedAgain{5};
constexpr std::chrono::seconds kBetweenLooks{30};
constexpr std::chrono::milliseconds kBetweenAnswers{10};
constexpr std::chrono::seconds kBetweenRefusals{1};
constexpr std::chrono::seconds kBetweenStrangers{10};  ///< in a log that is kept, where anybody can knock as often as he likes
constexpr std::size_t kMostRemote = 256, kMostRemotePerAddress = 32, kMostRemoteBody = 64u << 10;
constexpr std::size_t kMostNetworkPerAddress = 64;  ///< also where a proxy in front of it has all the pages of browsers
constexpr std::size_t kMostNetworkBody = 4u << 10;  ///< nothing there takes one

/// Whom it answers, and how.
std::string manner_of(const config::TlsFiles& files) {
  if (files.certificate_file.empty()) return "";
  return files.client_ca_file.empty() ? " by TLS" : " for clients with a certificate";
}

io::TlsServerFiles named(const config::TlsFiles& files) {
  return {.certificate_file = files.certificate_file, .key_file = files.key_file, .client_ca_file = files.client_ca_file, .client_crl_file = files.client_crl_file};
}

bool is_six(const config::Listen& at) { return at.address.find(':') != std::string::npos; }

/// Says in the place of "another process" which one listens at the port, as far as /proc tells.
void name_holder(std::string& problem, std::uint16_t port) {
  constexpr std::string_view kSomebody = "another process";
  const auto at = problem.find(kSomebody);
  const auto sockets = route::tcp_sockets(port, 1u << TCP_LISTEN);
  if (at == std::string::npos || !sockets || sockets->empty()) return;
  problem.replace(at, kSomebody.size(), route::holder_of(sockets->front().inode));
}

/// Whether a socket is bound there.
bool is_at(int socket, const config::Listen& at) {
  const io::IpAddress bound = io::local_address(socket);
  const auto wanted = io::ip_address(at.address, at.port);
  return wanted && bound.family() == wanted->family() && bound.text() == wanted->text() && bound.port() == wanted->port();
}

std::string time_text(Clock::time_point at) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::time_point_cast<std::chrono::seconds>(at)); }

}  // namespace

bool exclude_each_other(const config::Listen& one, const config::Listen& another) {
  if (one.port != another.port) return false;
  if (one.address == another.address || one.address == "::" || another.address == "::") return true;  // "::" is any of IPv4, too
  return is_six(one) == is_six(another) && (one.address == "0.0.0.0" || another.address == "0.0.0.0");
}

bool is_ending(Clock::time_point begins, Clock::time_point ends, Clock::time_point now) {
  return ends - now < std::min<Clock::duration>(kWeek, (ends - begins) / 5);
}

std::optional<ListenerOptions> metrics_listener(const config::Config& config) {
  if (!config.metrics) return {};
  return ListenerOptions{.table = "[metrics]", .name = "metrics", .what = "metrics are", .listen = *config.metrics, .files = config.metrics_tls,
                         .limits = {.most_body = kMostNetworkBody, .most_per_address = kMostNetworkPerAddress},
                         .other = config.remote ? std::optional(config.remote->listen) : std::nullopt, .other_table = "[api]"};
}

std::optional<ListenerOptions> remote_listener(const config::Config& config) {
  if (!config.remote) return {};
  return ListenerOptions{.table = "[api]", .name = "api", .what = "the control API is", .listen = config.remote->listen, .files = config.remote->files,
                         .limits = {.most_body = kMostRemoteBody, .most_connections = kMostRemote, .most_per_address = kMostRemotePerAddress},
                         .other = config.metrics, .other_table = "[metrics]"};
}

Listener::Listener(io::Loop& loop, host::ServiceManager& manager, std::optional<ListenerOptions> options, io::Handler handler)
    : loop_(loop),
      manager_(manager),
      options_(std::move(options)),
      handshakes_(speaks_tls() ? std::make_unique<io::Pool>(1) : nullptr),
      server_(loop.executor(), std::move(handler), options_ ? options_->limits : io::ServerLimits()),
      refusals_(kBetweenRefusals),
      refused_certificates_(kBetweenStrangers) {}

void Listener::take_kept() {
  if (options_) kept_ = manager_.take_kept(options_->name, [&at = options_->listen](int socket) { return is_at(socket, at); });
}

awaitable<void> Listener::leave(std::chrono::milliseconds at_most) {
  if (!is_listening_ || !host::ServiceManager::listens()) co_return;
  server_.stop_listening();
  const auto until = io::Steady::now() + at_most;
  while (server_.owes_answers() && io::Steady::now() < until) co_await io::sleep_for(kBetweenAnswers);
}

void Listener::start() {
  if (!options_) return;
  const bool is_there = try_to_listen();
  if (!is_there || speaks_tls()) loop_.spawn(options_->table + " listener", watch());
}

awaitable<void> Listener::watch() {
  while (!is_listening_) {
    co_await io::sleep_for(kUntilTriedAgain);
    try_to_listen();
  }
  while (speaks_tls()) {
    refresh();
    co_await io::sleep_for(kBetweenLooks);
  }
}

/// Who has the address, where that is this berthd itself.
Error Listener::with_who_listens(Error error) const {
  if (error.code == Errc::conflict && options_->other && exclude_each_other(options_->listen, *options_->other))
    error.message = fmt::format("{} of this berthd listens there, at {}: give one of them another port", options_->other_table, config::to_string(*options_->other));
  return error;
}

bool Listener::try_to_listen() {
  const auto listening = listen();
  if (!listening && listening.error().message != failure_) {
    failure_ = listening.error().message;
    problem_ = with_who_listens(listening.error()).message;
    if (listening.error().code == Errc::conflict && problem_ == failure_) name_holder(problem_, options_->listen.port);
    spdlog::error("nobody is answered at {} listen {}: {}; it is tried again", options_->table, config::to_string(options_->listen), problem_);
  }
  if (!listening) return false;
  is_listening_ = true;
  failure_.clear();
  problem_.clear();
  spdlog::info("{} at {}{}", options_->what, config::to_string(options_->listen), manner_of(options_->files));
  return true;
}

Result<void> Listener::listen() {
  const config::Listen& at = options_->listen;
  BERTH_TRY(const auto credentials, load());
  const bool was_kept = static_cast<bool>(kept_);
  Fd socket = std::move(kept_);
  if (!socket) {
    BERTH_TRY(socket, io::listen_at_address(at.address, at.port));
  }
  const int number = socket.get();
  if (credentials) BERTH_CHECK(server_.listen_tls_on(std::move(socket), credentials, *handshakes_));
  else BERTH_CHECK(server_.listen_on(std::move(socket)));
  if (!was_kept) manager_.keep(options_->name, number);
  credentials_ = credentials;
  return {};
}

/// What TLS needs; null where none is spoken. While that is wrong, who connects is refused, and does not wait for something that may never come.
Result<std::shared_ptr<io::TlsCredentials>> Listener::load() {
  if (!speaks_tls()) return nullptr;
  auto loaded = io::TlsCredentials::load(named(options_->files), [this](io::TlsNews news, const std::string& what) { hear(news, what); });
  if (!loaded) {
    if (kept_) manager_.stop_keeping(options_->name);
    kept_.reset();
    return std::unexpected(loaded.error());
  }
  const std::string key = options_->table + " key_file";
  if (const std::string open = config::open_secret(key.c_str(), options_->files.key_file); !open.empty()) spdlog::warn("{}", open);
  return std::move(*loaded);
}

void Listener::hear(io::TlsNews news, const std::string& what) {
  const std::string& table = options_->table;
  switch (news) {
    case io::TlsNews::exchanged:
      problem_.clear();
      told_of_end_ = false;
      spdlog::info("{} has other certificates now, which end at {} ({})", table, time_text(credentials_->ends()), what);
      return;
    case io::TlsNews::other_revocations:
      told_of_list_end_ = false;
      spdlog::info("{} has other lists of revoked certificates now ({}); connections that are open are ended", table, what);
      server_.dropping_connections()();  // who may still come, comes again
      return tell_of_revocations();
    case io::TlsNews::kept:
      problem_ = what;
      spdlog::error("{} keeps the certificates that it has, since the files that are there now are wrong: {}", table, what);
      return;
    case io::TlsNews::refused_certificate:
      if (const auto line = refused_certificates_.take(what, io::Steady::now())) return spdlog::info("{}: refused {}", table, *line);
      [[fallthrough]];
    case io::TlsNews::refused:
      if (const auto line = refusals_.take(what, io::Steady::now())) spdlog::debug("{}: refused {}", table, *line);
      return;
  }
}

void Listener::refresh() {
  if (!credentials_) return;
  credentials_->refresh();
  tell_of_end();
  tell_of_revocations();
}

/// That clients are refused since nothing tells which of their certificates were revoked, or soon will be.
void Listener::tell_of_revocations() {
  const auto revocations = credentials_->revocations();
  if (!revocations) return;
  const std::string problem = revocations->problem(Clock::now());
  if (problem != told_of_revocations_) {
    told_of_revocations_ = problem;
    if (problem.empty()) spdlog::info("{} has lists of revoked certificates that count again", options_->table);
    else spdlog::error("{}: {}", options_->table, problem);
  }
  const auto counts = revocations->counts();
  if (told_of_list_end_ || !problem.empty() || !counts || !is_ending(counts->first, counts->second, Clock::now())) return;
  told_of_list_end_ = true;
  const std::string text = fmt::format("{} client_crl_file {} ends at {}, and then clients are refused: put a new one in its place, as 'berth ca crl' writes it; it is taken without a restart", options_->table,
                                       options_->files.client_crl_file.string(), time_text(counts->second));
  journal::log(spdlog::level::warn, journal::Message::certificate_ends, {.subject = options_->table, .reason = text}, text);
}

void Listener::tell_of_end() {
  if (told_of_end_ || !is_ending(credentials_->begins(), credentials_->ends(), Clock::now())) return;
  told_of_end_ = true;
  const std::string text = fmt::format("{} certificate_file {} ends at {}, and then no client believes this node: put a new one in its place, which is taken without a restart", options_->table,
                                       options_->files.certificate_file.string(), time_text(credentials_->ends()));
  journal::log(spdlog::level::warn, journal::Message::certificate_ends, {.subject = options_->table, .reason = text}, text);
}

std::optional<metrics::NodeStatus::Listener> Listener::status() const {
  if (!options_) return {};
  metrics::NodeStatus::Listener status{.listen = config::to_string(options_->listen), .problem = problem_};
  if (!credentials_) return status;
  if (const auto revocations = credentials_->revocations()) {
    if (status.problem.empty()) status.problem = revocations->problem(Clock::now());
    if (const auto counts = revocations->counts()) {
      status.crl_ends = counts->second;
      status.crl_is_ending = is_ending(counts->first, counts->second, Clock::now());
    }
  }
  status.certificate_ends = credentials_->ends();
  status.is_ending = is_ending(credentials_->begins(), credentials_->ends(), Clock::now());
  return status;
}

}  // namespace berth

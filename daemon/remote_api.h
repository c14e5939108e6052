#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/http.h"
#include "core/io/loop.h"
#include "core/io/tls_credentials.h"
#include "daemon/api/caller.h"
#include "daemon/config/config.h"
#include "daemon/metrics/node_status.h"

namespace berth {

using boost::asio::awaitable;

/// Whether a certificate that ends so soon should have been replaced by now: when less than a fifth of its time is left, and less than a week.
bool is_ending(std::chrono::system_clock::time_point begins, std::chrono::system_clock::time_point ends, std::chrono::system_clock::time_point now);

/// Who of berthd.toml's clients may do what.
std::vector<api::Client> clients_of(const config::Config& config);

/// Lets a line through once a while, and counts the others.
class Seldom {
 public:
  explicit Seldom(std::chrono::milliseconds between) : between_(between) {}
  /// The line, with how many there were in between; or nothing, since there was one just now.
  std::optional<std::string> take(const std::string& line, io::Steady::time_point now);

 private:
  std::chrono::milliseconds between_;
  std::optional<io::Steady::time_point> last_;
  std::uint64_t untold_ = 0;
};

/// Where the control API is for clients with a certificate. What is wrong with it is told, and tried again; it keeps nothing else from running.
class RemoteApi {
 public:
  /// `config`: empty where nobody is to listen.
  RemoteApi(io::Loop& loop, std::optional<config::RemoteApi> config, io::Handler handler);

  /// Begins, and goes on until the loop ends.
  void start();
  /// Looks at the certificates now.
  void refresh();
  /// Ends what clients have open: who of them may still come, comes again.
  void drop_connections() { server_.drop_connections(); }
  std::optional<metrics::NodeStatus::RemoteApi> status() const;

 private:
  awaitable<void> watch();
  Result<void> listen();
  void hear(io::TlsNews news, const std::string& what);
  void tell_of_end();

  io::Loop& loop_;
  std::optional<config::RemoteApi> config_;
  std::unique_ptr<io::Pool> handshakes_;  ///< a thread of their own, since clients may make them take long
  io::HttpServer server_;
  std::shared_ptr<io::TlsCredentials> credentials_;  ///< null: it does not listen, because of `problem_`
  std::string problem_;
  Seldom refusals_;
  bool told_of_end_ = false;
};

}  // namespace berth

#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/io/http.h"
#include "core/io/loop.h"
#include "core/io/seldom.h"
#include "core/io/tls_credentials.h"
#include "daemon/config/config.h"
#include "daemon/host/service_manager.h"
#include "daemon/metrics/node_status.h"

namespace berth {

using boost::asio::awaitable;

/// Whether a certificate that ends so soon should have been replaced by now: when less than a fifth of its time is left, and less than a week.
bool is_ending(std::chrono::system_clock::time_point begins, std::chrono::system_clock::time_point ends, std::chrono::system_clock::time_point now);

/// Where it is listened, and what messages call that.
struct ListenerOptions {
  std::string table;  ///< of berthd.toml: "[api]"
  std::string name;   ///< of its socket, where systemd keeps that
  std::string what;   ///< "the control API is"
  config::Listen listen;
  config::TlsFiles files;  ///< without a certificate plain HTTP is spoken
  io::ServerLimits limits;
  std::optional<config::Listen> other = {};  ///< where berthd listens besides
  std::string other_table = {};              ///< of that
};

/// Whether one program at most can listen at both: any address is each of them.
bool exclude_each_other(const config::Listen& one, const config::Listen& another);

/// Where Prometheus, load balancers and browsers ask; nothing: nowhere.
std::optional<ListenerOptions> metrics_listener(const config::Config& config);

/// Where clients with a certificate ask; nothing: nowhere.
std::optional<ListenerOptions> remote_listener(const config::Config& config);

/// A TCP address at which berthd answers, plain or by TLS. What is wrong with it is told, and tried again; it keeps nothing else from running.
/// systemd keeps its socket while berthd is restarted: who connects meanwhile waits for the next berthd.
class Listener {
 public:
  /// `options`: empty where nobody is to listen.
  Listener(io::Loop& loop, host::ServiceManager& manager, std::optional<ListenerOptions> options, io::Handler handler);

  /// Takes the socket that the berthd before had, where it is at the address that counts now. To be called before any listener starts: it may need what another one had.
  void take_kept();
  /// Begins, and goes on until the loop ends.
  void start();
  /// Leaves who connects from now on to the next berthd, where systemd keeps the socket, and answers those who are here already, for so long at most.
  awaitable<void> leave(std::chrono::milliseconds at_most);
  /// Looks at the certificates now.
  void refresh();
  /// What ends what clients have open now: who of them may still come, comes again.
  std::function<void()> dropping_connections() { return server_.dropping_connections(); }
  std::optional<metrics::NodeStatus::Listener> status() const;

 private:
  bool try_to_listen();
  Result<void> listen();
  Result<std::shared_ptr<io::TlsCredentials>> load();
  Error with_who_listens(Error error) const;
  awaitable<void> watch();
  void hear(io::TlsNews news, const std::string& what);
  void tell_of_end();
  void tell_of_revocations();
  bool speaks_tls() const { return options_ && !options_->files.certificate_file.empty(); }

  io::Loop& loop_;
  host::ServiceManager& manager_;
  std::optional<ListenerOptions> options_;
  std::unique_ptr<io::Pool> handshakes_;  ///< a thread of their own, since clients may make them take long; null: no TLS is spoken
  io::HttpServer server_;
  std::shared_ptr<io::TlsCredentials> credentials_;  ///< null: it speaks no TLS, or does not listen, because of `problem_`
  Fd kept_;  ///< as long as it does not listen
  bool is_listening_ = false;
  std::string problem_;  ///< for people
  std::string failure_;  ///< why it does not listen, as `listen` has it
  io::Seldom refusals_, refused_certificates_;
  bool told_of_end_ = false, told_of_list_end_ = false;
  std::string told_of_revocations_;  ///< what was wrong with the lists of revoked certificates when that was told
};

}  // namespace berth

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "core/crypto/secret.h"
#include "core/io/http.h"
#include "core/io/seldom.h"
#include "core/logs/log_reader.h"
#include "core/result.h"
#include "daemon/api/caller.h"
#include "daemon/api/page_access.h"
#include "daemon/api/revisions.h"
#include "daemon/deploy/operations.h"
#include "daemon/metrics/node_status.h"

namespace berth::api {

using boost::asio::awaitable;

/// Logs on their way to somebody.
class LogFeed {
 public:
  virtual ~LogFeed() = default;
  struct Piece {
    std::string lines;     ///< of JSON, a record each; few, or none, where finding more takes long
    bool is_last = false;  ///< that there is at present
  };
  virtual awaitable<Result<Piece>> next() = 0;
  /// Whether there is more, at the latest after `at_most`. Fails when the logs were removed.
  virtual awaitable<Result<bool>> grown(std::chrono::milliseconds at_most) = 0;
};

/// What is to be shown at the metrics listener; null: nothing.
using Token = std::shared_ptr<const crypto::Secret>;

/// What came of reading the configuration again.
struct Reloaded {
  std::vector<std::string> files;          ///< that were read
  std::vector<std::string> until_restart;  ///< the tables in which something changed that counts after a restart: "[repository]"
  std::function<void()> then;              ///< or nothing: to be called when whoever asked has the answer, since it ends connections
};

/// What the API tells besides what the deployer does.
class Node {
 public:
  virtual ~Node() = default;

  virtual awaitable<metrics::NodeStatus> status() = 0;
  /// Numbered from `first`, at most `most`, of `app` alone where it is not empty.
  virtual awaitable<Result<std::vector<store::Event>>> events(std::int64_t first, int most, std::string app) = 0;
  /// The number from which on there are the newest `most`, of `apps` only where there are any; one behind the last where there is none.
  virtual awaitable<std::int64_t> first_of_newest(int most, std::vector<std::string> apps) = 0;
  /// The newest event's number, 0 where there is none.
  virtual std::int64_t last_event() = 0;
  /// Whether there is one of the app behind that number.
  virtual awaitable<bool> happened_since(std::int64_t number, std::string app) = 0;
  /// Adds an event for that webhook alone. `Errc::not_found` where berthd.toml has none of that name.
  virtual awaitable<Result<void>> test_webhook(std::string name, deploy::Asked asked) = 0;
  /// Reads berthd.toml again. `Errc::conflict` where it is wrong, with its place and what is wrong: what was before counts still.
  virtual awaitable<Result<Reloaded>> reload(deploy::Asked asked) = 0;
  /// Waits until there is one behind that number, at the latest for `at_most`.
  virtual awaitable<void> event_after(std::int64_t number, std::chrono::milliseconds at_most) = 0;
  /// Logs of an app that is known here, from files. `Errc::not_found` as `logs::LogReader` has it.
  virtual awaitable<Result<std::shared_ptr<LogFeed>>> logs(logs::LogQuery query) = 0;
  /// A place among those who read events and logs as they come, to be kept while they do; null where all are taken that the caller may have.
  virtual std::shared_ptr<void> place(const Caller& caller) = 0;
  /// Likewise among those whose one-off commands go by a connection of the API.
  virtual std::shared_ptr<void> exec_place(const Caller& caller) = 0;
  /// One was dropped who read events or logs as they come, and took nothing for too long.
  virtual void reader_dropped() = 0;
  /// Has `write` called off the event loop, by which a long answer would keep all others waiting. What it refers to has to be its own.
  virtual awaitable<std::string> write_aside(std::function<std::string()> write) = 0;
  /// In Prometheus' text format.
  virtual awaitable<std::string> metrics() = 0;
  /// What apps tell of themselves, in the same.
  virtual awaitable<std::shared_ptr<const std::string>> app_metrics() = 0;
  /// Waits until the deployer is ready. False when it is not after `at_most`.
  virtual awaitable<bool> until_ready(std::chrono::milliseconds at_most) = 0;
  /// Whom the status page is for; null where there is none.
  virtual const PageAccess* page() const = 0;
  /// Under which names the metrics listener may be asked for `/status`; null: under any, since it wants a token or a certificate.
  virtual const PageAccess* status_access() const = 0;
  /// What the metrics listener wants to be shown. Fails where that cannot be told, and nobody is to be let in.
  virtual awaitable<Result<Token>> token() = 0;
  /// As `place`, among those who look at the status page: they take nobody else's.
  virtual std::shared_ptr<void> page_place() = 0;
  /// Who the peer is, of the control socket or with a certificate.
  virtual awaitable<Caller> caller(io::Peer peer) = 0;
};

/// The control API of `docs/api.md`: routes, bodies and problems, over what it is given. It outlives the servers that it answers for.
class Api {
 public:
  Api(deploy::Operations& operations, Node& node) : operations_(operations), node_(node) {}

  /// On the control socket: everything, for admins.
  awaitable<io::ServerReply> on_socket(io::ServerRequest request);
  /// On the listener for clients with a certificate: what their roles allow, but what only makes sense on the node.
  awaitable<io::ServerReply> on_tls(io::ServerRequest request);
  /// On the metrics listener: metrics and health, for everybody, or, where there is a token, for whoever shows it; the rest is not there.
  awaitable<io::ServerReply> on_network(io::ServerRequest request);

 private:
  void log_stranger(const io::ServerRequest& request, const Caller& caller);

  io::Seldom strangers_{std::chrono::seconds(10)};  ///< in the log, which anybody who may connect can make longer
  deploy::Operations& operations_;
  Node& node_;
  Revisions revisions_;
};

}  // namespace berth::api

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <sys/types.h>

#include "core/files/fd.h"
#include "core/result.h"

namespace berth::io {

using std::chrono::milliseconds;

class Pace;

/// Header fields, names in lower case.
using Headers = std::map<std::string, std::string>;

// ---------------------------------------------------------------- asking

/// Where a request goes: a TCP address, or a Unix socket.
struct Endpoint {
  std::string address;       ///< IPv4 or IPv6, numeric; unused with `unix_path`
  std::uint16_t port = 0;
  std::string unix_path;
  std::string from_address;  ///< the source address to bind, or empty (a probe of a release that is not routed to yet)
};

struct HttpRequest {
  Endpoint to;
  std::string method = "GET";
  std::string target = "/";
  Headers headers;                           ///< `host` is added where it is missing
  std::string body;
  milliseconds deadline{1000};               ///< for the whole exchange, connecting included
  bool unverified_tls = false;               ///< by TLS 1.2, whoever answers: for probes
  std::string upgrade;                       ///< the protocol that the connection is wanted for then, of a head alone: `request_head`
  bool keep_alive = false;                   ///< of `HttpClient` alone: another request may follow
  std::size_t most_body = 0;                 ///< bytes; a longer body is `Errc::protocol`
  bool cut_body = false;                     ///< of `http_ask` alone: a longer body is no error, and its first `most_body` bytes are all that is read
};

struct HttpAnswer {
  int status = 0;
  Headers headers;
  std::string body;
};

/// Asks once, without redirects, and closes the connection. Fails with
///  - `Errc::timeout` after `deadline`,
///  - `Errc::refused` when nothing listens, `Errc::not_found` for a Unix socket that is not there, `Errc::permission`,
///  - `Errc::protocol` when what answers does not speak HTTP, or says too much.
/// Cancelling the caller cancels the exchange and closes its socket.
boost::asio::awaitable<Result<HttpAnswer>> http_ask(HttpRequest request);

/// Asks, and hands the body to `sink` as it comes, for streams without an end. `deadline` bounds connecting and the head only;
/// `sink` returning false ends it. The answer's `body` is empty unless the status is not 200 to 299, where it is the problem.
boost::asio::awaitable<Result<HttpAnswer>> http_stream(HttpRequest request, std::function<bool(std::string_view)> sink);

/// Connects and closes again: the TCP probe. Errors as above.
boost::asio::awaitable<Result<void>> tcp_connect(Endpoint to, milliseconds deadline);

// ---------------------------------------------------------------- fetching from afar (blocking; for pool threads and the CLI)

struct TlsOptions {
  std::string ca_file;           ///< PEM; empty: the system's CAs
  std::string certificate_file;  ///< PEM, with `key_file`, when the server asks for one
  std::string key_file;
  std::string ca_name = "ca_file (--ca-file)";  ///< what says which CAs are trusted, for whoever is to mend that
};

/// Which proxy a fetch goes through. A loopback address never goes through one.
struct ProxyOptions {
  std::string for_http, for_https;  ///< http://[user:password@]host[:port]; empty: none. https goes through by CONNECT
  std::string except;               ///< as `no_proxy`: names, with what is below them, numeric addresses and networks, by commas; "*" is everything
};

struct FetchOptions {
  std::uint64_t from = 0;                       ///< resume: the first byte wanted
  std::uint64_t most = 0;                       ///< bytes accepted at most
  milliseconds connect_timeout{10'000};
  milliseconds stall_timeout{20'000};           ///< without a single byte
  milliseconds total_timeout{3'600'000};
  std::uint64_t least_bytes_per_second = 0;     ///< fewer, over `least_over` of waiting, count as a stall (see LeastRate); 0: any number does
  milliseconds least_over{30'000};
  TlsOptions tls;                               ///< its certificate is shown to the scheme, host and port of the url alone
  std::string user_agent;
  /// Value of the Authorization header; empty: none. It goes to the scheme, host and port of the url alone, and over plain http to loopback addresses
  /// alone: elsewhere that is `Errc::usage`.
  std::string authorization;
  ProxyOptions proxy;
  std::uint64_t bytes_per_second = 0;           ///< that are taken at most, on average; 0: as many as come
  std::shared_ptr<Pace> pace{};           ///< that rate is for all fetches together that have the same one; unset: for this one alone
};

/// Gets `url` (http, https; redirects bounded, never https → http) and hands its bytes to `sink` as they come, which ends the
/// transfer by failing. Blocks; `stop` ends it within a second with `Errc::cancelled`. A 404 or 403 is `Errc::not_found`; other statuses
/// `Errc::unreachable`; a server that ignores the range has its first bytes skipped.
Result<void> http_fetch(const std::string& url, const FetchOptions& options, const std::function<Result<void>(std::string_view)>& sink,
                        std::stop_token stop = {});

/// What fetches keep to that share a rate. From any thread.
std::shared_ptr<Pace> shared_pace(std::uint64_t bytes_per_second);

// ---------------------------------------------------------------- serving

/// Whom a certificate that was verified is for, by its subject alternative names.
struct VerifiedNames {
  std::vector<std::string> dns, uris, emails;
  std::chrono::system_clock::time_point until;  ///< its end
};

/// Who is at the other end of a connection.
struct Peer {
  uid_t uid = static_cast<uid_t>(-1);  ///< of a Unix socket, as the next two
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = 0;
  std::string address;                 ///< of a TCP peer, numeric
  std::optional<VerifiedNames> names{};  ///< of the certificate that a TLS client has proved to be its own
  std::vector<gid_t> groups{};           ///< of a Unix socket: those that it is in besides `gid`
};

struct ServerRequest {
  std::string method;
  std::string path;                          ///< percent-decoded, without the query; no `.`, `..`, NUL
  std::map<std::string, std::string> query;  ///< percent-decoded
  Headers headers;
  std::string body;
  Peer peer;
};

/// Writes a body piece by piece. A reader that takes nothing for `stall` is dropped.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  /// False when the peer is gone; the stream then ends.
  virtual boost::asio::awaitable<bool> write(std::string data) = 0;
  /// Whether the peer closed, as far as is known, without writing.
  virtual bool gone() const = 0;
  /// For how long it had taken nothing, where it was dropped for that; 0: it was not.
  virtual milliseconds stalled() const { return milliseconds(0); }
};

/// A connection that speaks something else than HTTP from here on. One coroutine may read while another one writes.
class Duplex {
 public:
  virtual ~Duplex() = default;
  /// Appends what comes to `into` and gives its length, 0 at the end. `Errc::timeout` where nothing comes for `at_most`.
  virtual boost::asio::awaitable<Result<std::size_t>> read(std::string* into, milliseconds at_most) = 0;
  /// Writes all of it, however long the peer takes for that, until `close`.
  virtual boost::asio::awaitable<Result<void>> write(std::string_view bytes) = 0;
  /// Whether the peer closed, as far as is known, or may not be here any more.
  virtual bool gone() const = 0;
  /// Whoever reads or writes gets `Errc::cancelled`.
  virtual void close() = 0;
};

struct ServerReply {
  int status = 200;
  std::string content_type = "application/json";
  Headers headers;
  std::string body;
  /// If set, the body comes from here (chunked), and `body` is unused. Called on the server's executor.
  std::function<boost::asio::awaitable<void>(BodyWriter&)> stream;
  /// If set, with the status 101: the connection is for this from then on (RFC 9110, 7.8), and ends with it. `headers` say `upgrade`; what the client sent already is read first.
  std::function<boost::asio::awaitable<void>(std::shared_ptr<Duplex>)> upgrade;
  /// If set, called once the reply was sent, or could not be: for what ends the very connection that it goes by.
  std::function<void()> then;
};

using Handler = std::function<boost::asio::awaitable<ServerReply>(ServerRequest)>;

struct ServerLimits {
  std::size_t most_header = 16u << 10;
  std::size_t most_body = 1u << 20;
  std::size_t most_connections = 256;   ///< a further one takes the place of the one that has kept the server waiting longest; where none does, it is turned away
  std::size_t most_per_address = 0;     ///< likewise of one TCP address, one /64 of IPv6, or one user of a Unix socket who is not root; 0: any number
  milliseconds read_deadline{10'000};   ///< for a whole request to arrive
  milliseconds idle_deadline{60'000};   ///< between the requests of a connection
  milliseconds write_stall{30'000};
};

class Pool;
class TlsCredentials;

/// An HTTP/1.1 server: keep-alive, bounded, one coroutine a connection. Half a request, two lengths, an oversized header get an
/// RFC 9110 status and the end of the connection. Everything happens on the executor, where it is destroyed too.
class HttpServer {
 public:
  HttpServer(boost::asio::any_io_executor executor, Handler handler, ServerLimits limits = {});
  /// Closes everything. Handlers that are at work are cancelled: they end in later turns of the loop, and what they use must live until then.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Listens at `path`, with that mode and group (-1: as it is). A socket there that nobody listens at is removed; where somebody does, it fails with
  /// `Errc::conflict`.
  Result<void> listen_unix(const std::string& path, mode_t mode, gid_t group);
  /// Listens at a numeric address; port 0 takes a free one.
  Result<void> listen_tcp(const std::string& address, std::uint16_t port);
  /// The same by TLS 1.2, for clients with a certificate of an authority that `credentials` name, or for everybody where they name none. The files of those are looked
  /// at for each connection. Whoever comes without such a certificate, or speaks something else, is told by an alert, and `credentials` tell of it. `pool` computes handshakes; it outlives the server.
  Result<void> listen_tls(const std::string& address, std::uint16_t port, std::shared_ptr<TlsCredentials> credentials, Pool& pool);
  /// Takes a listening socket that somebody else made.
  Result<void> listen_on(Fd socket);
  /// The same by TLS, as `listen_tls`.
  Result<void> listen_tls_on(Fd socket, std::shared_ptr<TlsCredentials> credentials, Pool& pool);

  /// Takes no further connections; those that are open go on. Where somebody else has a listening socket, too, who connects from here on waits for him.
  void stop_listening();
  /// Whether somebody is to be answered who has connected and not asked yet, or whose first or next request is at work. Streams and upgraded connections, which have no end of their own, do not count.
  bool owes_answers() const;

  /// What closes the connections that are open now, and none that comes until it is called. Handlers that are at work go on to their end, and tell it to nobody.
  std::function<void()> dropping_connections();

  std::uint16_t tcp_port() const;  ///< of the last `listen_tcp` or `listen_tls`

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Whether the request wants its connection to be upgraded to that protocol (RFC 9110, 7.8).
bool wants_upgrade(const ServerRequest& request, std::string_view protocol);

/// Percent-encodes everything but `A-Z a-z 0-9 _ . - ~`.
std::string percent_encode(std::string_view text);

}  // namespace berth::io

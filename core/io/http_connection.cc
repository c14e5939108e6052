#include "core/io/http_connection.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/io/certificates.h"
#include "core/io/http_reader.h"
#include "core/io/http_text.h"
#include "core/io/ip_address.h"
#include "core/io/tls_hello.h"

namespace berth::io {
namespace {

namespace asio = boost::asio;

constexpr char kHandshakeRecord = 22;

constexpr std::size_t kMostGroups = 65536;  // NGROUPS_MAX

/// Of a refused client, what it still sends is read for that long, so that its kernel does not throw the refusal away.
constexpr milliseconds kLinger{1000};

/// How a socket for IPv6 tells an IPv4 address.
constexpr std::string_view kMapped = "::ffff:";

std::string name_of_peer(const Peer& peer) { return peer.address.empty() ? fmt::format("the client (pid {})", peer.pid) : peer.address; }

/// The groups that the kernel says who connected was in, besides the one of its credentials.
std::vector<gid_t> groups_of_peer(int socket) {
  std::vector<gid_t> groups(32);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      return groups;
    }
    if (errno != ERANGE || groups.size() >= kMostGroups) return {};
    groups.resize(std::max(groups.size() * 2, size / sizeof(gid_t)));
  }
}

bool speaks_no_tls(const TlsFailure& failure) { return !failure.first.empty() && failure.first.front() != kHandshakeRecord; }

/// Why nothing came of TLS with a client, for the log.
Error explain_to_log(const TlsFailure& failure) {
  switch (failure.code) {
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE: return {Errc::permission, "it shows no certificate"};
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case MBEDTLS_ERR_SSL_BAD_HS_CERTIFICATE:
      return {Errc::permission, "its certificate is refused" + certificate_flaws(mbedtls_ssl_get_verify_result(&failure.context), {})};
    case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN:
      if (offers_only_newer_tls(failure.first)) return {Errc::protocol, "it offers TLS 1.3 alone, and berthd speaks TLS 1.2"};
      return {Errc::protocol, "it offers no cipher that berthd takes, which are ECDHE with AES-GCM or ChaCha20-Poly1305"};
    case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION: return {Errc::protocol, "it offers only TLS older than 1.2"};
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return {Errc::protocol, "it ended TLS by " + tls_alert_text(failure.received_alert())};
    case MBEDTLS_ERR_SSL_CONN_EOF: return {Errc::protocol, "it closed the connection in the midst of TLS"};
    default: break;
  }
  if (speaks_no_tls(failure)) return {Errc::protocol, "it does not speak TLS"};
  return {Errc::protocol, "TLS: " + tls_error(failure.code)};
}

/// The alert for what mbedTLS has none for, or another one than is right (RFC 5246, 7.2.2 and 7.4.6; RFC 8446, 4.2.1 and 5).
int alert_for(const TlsFailure& failure) {
  switch (failure.code) {
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE: return MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE;
    case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN: return offers_only_newer_tls(failure.first) ? MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION : 0;
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_BAD_HS_CLIENT_HELLO:
      if (speaks_no_tls(failure)) return MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE;
      return MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR;
    default: return 0;
  }
}

/// Whether it goes by a certificate that has ended meanwhile.
bool is_over(const Peer& peer) { return peer.names && peer.names->until < std::chrono::system_clock::now(); }

/// A stream's way to the client.
class ReplyWriter final : public BodyWriter {
 public:
  ReplyWriter(Connection& connection, bool chunked, milliseconds stall) : connection_(connection), chunked_(chunked), stall_(stall) {}

  asio::awaitable<bool> write(std::string data) override {
    if (data.empty()) co_return !broken_;
    broken_ = broken_ || is_over(connection_.peer);
    if (broken_) co_return false;
    if (chunked_) data = fmt::format("{:x}\r\n{}\r\n", data.size(), data);
    co_await send(std::move(data));
    co_return !broken_;
  }

  bool gone() const override { return broken_ || connection_.wire.gone() || is_over(connection_.peer); }

  milliseconds stalled() const override { return stalled_; }

  /// Says that this was all. False when the client is gone.
  asio::awaitable<bool> finish() {
    if (chunked_ && !broken_) co_await send("0\r\n\r\n");
    co_return !broken_;
  }

 private:
  asio::awaitable<void> send(std::string bytes) {
    const auto sent = co_await connection_.write(bytes, stall_);
    broken_ = !sent;
    if (!sent && sent.error().code == Errc::timeout) stalled_ = stall_;
  }

  Connection& connection_;
  bool chunked_;
  milliseconds stall_;
  milliseconds stalled_{0};
  bool broken_ = false;
};

/// A connection that was upgraded, with what its client had sent by then.
class UpgradedConnection final : public Duplex {
 public:
  UpgradedConnection(std::shared_ptr<Connection> connection, std::string first) : connection_(std::move(connection)), first_(std::move(first)) {}

  asio::awaitable<Result<std::size_t>> read(std::string* into, milliseconds at_most) override {
    if (first_.empty()) {
      auto got = co_await connection_->read(into, deadline_in(at_most));
      co_return got;
    }
    const std::string first = std::exchange(first_, {});
    into->append(first);
    co_return first.size();
  }
  asio::awaitable<Result<void>> write(std::string_view bytes) override { return connection_->write(bytes, milliseconds::max()); }
  bool gone() const override { return connection_->wire.gone() || is_over(connection_->peer); }
  void close() override { connection_->wire.close(); }

 private:
  std::shared_ptr<Connection> connection_;
  std::string first_;
};

/// Leaves the connection to whatever it is upgraded to, until that has enough of it.
asio::awaitable<void> upgrade(const Service& service, Connection& connection, ServerReply reply, std::string first) {
  const std::string head = upgrade_head(reply);
  const auto sent = co_await connection.write(head, service.limits.write_stall);
  if (!sent) co_return;
  const auto split = connection.wire.split();
  if (!split) co_return;
  connection.upgraded = true;
  connection.owes_answer = false;
  auto line = std::make_shared<UpgradedConnection>(connection.shared_from_this(), std::move(first));
  auto going_on = reply.upgrade(std::move(line));
  co_await std::move(going_on);
}

/// Reads a request. A flaw without a text means that there is nobody to tell.
asio::awaitable<Flaw> receive(const Service& service, Connection& connection, RequestReader& reader, std::string& buffer, bool is_first) {
  bool begun = !buffer.empty();
  Flaw flaw = reader.take(buffer);
  bool told_to_continue = false;
  auto deadline = deadline_in(is_first || begun ? service.limits.read_deadline : service.limits.idle_deadline);
  while (!flaw && !reader.done()) {
    if (reader.head_done() && reader.expects_continue() && !told_to_continue) {
      told_to_continue = true;
      const auto sent = co_await connection.write("HTTP/1.1 100 Continue\r\n\r\n", service.limits.write_stall);
      if (!sent) co_return Flaw{408, ""};
    }
    const auto got = co_await connection.read(&buffer, deadline);
    if (!got && got.error().code == Errc::timeout && begun) co_return Flaw{408, "the request did not arrive in time"};
    if (!got || (*got == 0 && !begun)) co_return Flaw{408, ""};
    if (*got == 0) co_return Flaw{400, "the request was cut short"};
    if (!begun && !is_first) deadline = deadline_in(service.limits.read_deadline);
    begun = true;
    flaw = reader.take(buffer);
  }
  co_return flaw;
}

/// Reads what is still on its way, whatever it is.
asio::awaitable<void> linger(Connection& connection) {
  const auto deadline = deadline_in(kLinger);
  std::string dropped;
  while (true) {
    dropped.clear();
    const auto got = co_await connection.wire.read(&dropped, deadline);
    if (!got || *got == 0) co_return;
  }
}

/// Sends a refusal and the end of the connection.
asio::awaitable<void> refuse(const Service& service, Connection& connection, Flaw flaw) {
  const ServerReply reply = problem_reply(flaw.status, flaw.what);
  const std::string bytes = reply_head(reply, Framing::length, false) + reply.body;
  const auto sent = co_await connection.write(bytes, service.limits.write_stall);
  if (!sent) co_return;
  co_await connection.end_writing(service.limits.write_stall);
  co_await linger(connection);
}

/// How a reply goes out.
struct Manner {
  bool to_head = false;
  bool is_http_1_0 = false;
  bool keep_alive = true;
};

Framing framing_of(const ServerReply& reply, const Manner& manner) {
  if (reply.status < 200 || reply.status == 204 || reply.status == 304) return Framing::none;
  if (!reply.stream) return Framing::length;
  return manner.is_http_1_0 ? Framing::until_close : Framing::chunked;
}

/// Sends a reply. False when the connection has to end.
asio::awaitable<bool> send_reply(const Service& service, Connection& connection, ServerReply reply, Manner manner) {
  const Framing framing = framing_of(reply, manner);
  const bool keep_alive = manner.keep_alive && framing != Framing::until_close;
  std::string bytes = reply_head(reply, framing, keep_alive);
  if (framing == Framing::length && !manner.to_head) bytes += reply.body;
  const auto sent = co_await connection.write(bytes, service.limits.write_stall);
  if (!sent) co_return false;
  if (!reply.stream || manner.to_head || framing == Framing::none) co_return keep_alive;
  connection.owes_answer = false;

  ReplyWriter writer(connection, framing == Framing::chunked, service.limits.write_stall);
  auto streaming = reply.stream(writer);
  co_await std::move(streaming);
  const bool finished = co_await writer.finish();
  co_return finished && keep_alive;
}

/// What the handler gets to see.
Result<ServerRequest> request_of(RequestReader& reader, const Peer& peer) {
  BERTH_TRY(Target target, parse_target(reader.target));
  const auto host = reader.headers.find("host");
  if (host == reader.headers.end() && !reader.is_http_1_0()) return fail(Errc::protocol, "there is no Host");  // RFC 9112, 3.2
  if (host != reader.headers.end() && !is_host(host->second)) return fail(Errc::protocol, "the Host is none");
  if (!target.host.empty() && !is_host(target.host)) return fail(Errc::protocol, "the target's host is none");
  if (!target.host.empty()) reader.headers["host"] = target.host;
  return ServerRequest{.method = std::move(reader.method), .path = std::move(target.path), .query = std::move(target.query),
                       .headers = std::move(reader.headers), .body = std::move(reader.body), .peer = peer};
}

/// One request and its reply. False when the connection has to end.
asio::awaitable<bool> exchange(const Service& service, Connection& connection, std::string& buffer, bool is_first) {
  RequestReader reader({.most_header = service.limits.most_header, .most_body = service.limits.most_body});
  Flaw flaw = co_await receive(service, connection, reader, buffer, is_first);
  if (flaw && flaw.what.empty()) co_return false;
  const Manner manner{.to_head = reader.method == "HEAD", .is_http_1_0 = !flaw && reader.is_http_1_0(), .keep_alive = !flaw && reader.keep_alive()};
  Result<ServerRequest> request = fail(Errc::protocol, "");
  if (!flaw) request = request_of(reader, connection.peer);
  if (!flaw && !request) flaw = {400, request.error().message};
  if (flaw) {
    co_await refuse(service, connection, std::move(flaw));
    co_return false;
  }
  connection.owes_answer = true;
  auto handling = service.handler(std::move(*request));
  ServerReply reply = co_await std::move(handling);
  const auto then = std::move(reply.then);
  if (reply.upgrade) {
    co_await upgrade(service, connection, std::move(reply), std::exchange(buffer, {}));
    co_return false;
  }
  const bool stays = co_await send_reply(service, connection, std::move(reply), manner);
  if (then) then();
  co_return stays;
}

}  // namespace

Connection::Connection(asio::any_io_executor executor, Fd socket, Peer its_peer, const TlsService& its_service)
    : wire(std::move(executor), std::move(socket), name_of_peer(its_peer)), peer(std::move(its_peer)), neighbourhood(neighbourhood_of(peer)), service(its_service) {}

asio::awaitable<Result<void>> Connection::agree(Steady::time_point deadline) {
  if (!service.credentials) co_return Result<void>();
  config = service.credentials->config();
  tls = std::make_unique<TlsSession>(wire, TlsSide{.explain = explain_to_log, .alert = alert_for});
  std::string revoked;  // whose
  if (const auto revocations = service.credentials->revocations()) {
    tls->look_at_certificates([revocations, &revoked](const mbedtls_x509_crt& certificate, int, std::uint32_t& flaws) {
      flaws |= revocations->flaws_of(certificate, std::chrono::system_clock::now());
      if ((flaws & MBEDTLS_X509_BADCERT_REVOKED) != 0) revoked = who_is(certificate);
    });
  }
  auto agreed = co_await tls->agree(*config, deadline, service.pool);
  tls->look_at_certificates({});
  if (!agreed && !revoked.empty()) agreed.error().message += ": " + revoked;
  if (!agreed) co_return agreed;
  if (!service.credentials->want_clients()) co_return Result<void>();
  const mbedtls_x509_crt* certificate = mbedtls_ssl_get_peer_cert(&tls->context());
  if (certificate == nullptr) co_return fail(Errc::permission, "it shows no certificate");  // nothing agrees without one
  peer.names = names_of(*certificate);
  co_return Result<void>();
}

asio::awaitable<Result<std::size_t>> Connection::read(std::string* into, Steady::time_point deadline) {
  return tls ? tls->read(into, deadline) : wire.read(into, deadline);
}

asio::awaitable<Result<void>> Connection::write(std::string_view bytes, milliseconds stall) { return tls ? tls->write(bytes, stall) : wire.write(bytes, stall); }

asio::awaitable<void> Connection::end_writing(milliseconds stall) {
  if (tls) co_await tls->end_writing(stall);
  else wire.end_writing();
}

Peer peer_of(int socket) {
  Peer peer;
  IpAddress address;
  if (::getpeername(socket, address.get(), &address.size) == 0) peer.address = address.text();
  if (peer.address.starts_with(kMapped) && peer.address.find('.') != std::string::npos) peer.address.erase(0, kMapped.size());
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (peer.address.empty() && ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0)
    peer = {.uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid, .groups = groups_of_peer(socket)};
  return peer;
}

std::string neighbourhood_of(const Peer& peer) {
  if (peer.address.empty()) return peer.uid == 0 || peer.uid == static_cast<uid_t>(-1) ? std::string() : fmt::format("uid {}", peer.uid);
  const auto parsed = ip_address(peer.address, 0);
  if (!parsed || parsed->family() != AF_INET6) return peer.address;
  return {reinterpret_cast<const char*>(&reinterpret_cast<const sockaddr_in6*>(parsed->get())->sin6_addr), 8};
}

asio::awaitable<void> serve(std::shared_ptr<const Service> service, std::shared_ptr<Connection> connection) {
  co_await give_way();  // Asio 1.81 ends the program where a coroutine is cancelled before it waited for anything
  if (const auto agreed = co_await connection->agree(deadline_in(service->limits.read_deadline)); !agreed) {
    const std::string why = connection->wire.open() ? agreed.error().message : "it was let go of in the midst of TLS";  // for who came after it
    const bool of_certificate = connection->wire.open() && agreed.error().code == Errc::permission;
    connection->service.credentials->refused(fmt::format("{}: {}", connection->peer.address, why), of_certificate ? TlsNews::refused_certificate : TlsNews::refused);
    connection->wire.end_writing();
    co_await linger(*connection);
    connection->wire.close();
    co_return;
  }
  connection->is_new = false;
  std::string buffer;   // what came beyond the request that is read: the next one
  bool is_first = true;
  bool stays = true;
  while (stays && connection->wire.open() && !is_over(connection->peer)) {
    stays = co_await exchange(*service, *connection, buffer, is_first);
    is_first = false;
    connection->owes_answer = false;
    connection->since = Steady::now();
  }
  if (connection->tls && connection->wire.open()) co_await connection->end_writing(kLinger);
  connection->wire.close();
}

}  // namespace berth::io

#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "core/io/http_server_fixture.h"
#include "core/io/tls_authority.h"
#include "core/io/tls_credentials.h"

namespace berth::io {

/// A server that speaks TLS, and the certificates of its clients.
class HttpsServerTest : public HttpServerTest {
 protected:
  static void SetUpTestSuite() { authority = std::make_unique<Authority>(); }
  static void TearDownTestSuite() { authority.reset(); }

  void show(const std::string& certificate) {
    // Another file each time, as who renews certificates does it.
    for (const std::string kind : {".pem", ".key"}) {
      std::filesystem::copy_file(authority->path(certificate + kind), file("new" + kind), std::filesystem::copy_options::overwrite_existing);
      std::filesystem::rename(file("new" + kind), file("server" + kind));
    }
  }
  void start_tls(ServerLimits limits = {}, const std::string& address = "127.0.0.1", bool want_clients = true, const std::string& lists = "") {
    show("local");
    auto loaded = TlsCredentials::load({.certificate_file = file("server.pem"), .key_file = file("server.key"), .client_ca_file = want_clients ? authority->path("ca.pem") : "", .client_crl_file = lists},
                                       [this](TlsNews kind, const std::string& what) { hear(kind, what); });
    ASSERT_TRUE(loaded) << loaded.error().message;
    start(limits);
    std::atomic<bool> listening{false};
    loop.post([&] {
      EXPECT_TRUE(server->listen_tls(address, 0, *loaded, *pool));
      port = server->tcp_port();
      listening = true;
    });
    wait_for([&] { return listening.load(); });
  }
  std::string file(const std::string& name) const { return folder.path() / name; }

  void hear(TlsNews kind, const std::string& what) {
    const std::lock_guard lock(scene.mutex);
    if (kind == TlsNews::refused_certificate) ++refused_certificates;
    if (kind == TlsNews::other_revocations) return void(++other_revocations);
    (kind == TlsNews::refused || kind == TlsNews::refused_certificate ? refusals : kind == TlsNews::kept ? kept : exchanged).push_back(what);
  }
  template <class Value>
  Value locked(const Value& value) {
    const std::lock_guard lock(scene.mutex);
    return value;
  }

  /// What a client with that certificate gets, or why it does not.
  std::string ask(const std::string& certificate, const std::string& target = "/page") {
    FetchOptions options{.most = 1000, .tls = {.ca_file = authority->path("ca.pem")}};
    if (!certificate.empty()) options.tls.certificate_file = authority->path(certificate + ".pem"), options.tls.key_file = authority->path(certificate + ".key");
    std::string body;
    const auto done = http_fetch(fmt::format("https://127.0.0.1:{}{}", port, target), options, [&](std::string_view piece) -> Result<void> {
      body += piece;
      return {};
    });
    return done ? body : done.error().message;
  }
  std::vector<std::string> curl(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"curl", "-sS", "--max-time", "30", "--cacert", authority->path("ca.pem"), "--cert", authority->path("client.pem"), "--key", authority->path("client.key")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  std::string url(const std::string& target) const { return fmt::format("https://127.0.0.1:{}{}", port, target); }
  /// What `openssl s_client` says to this server.
  std::string openssl(const std::string& options, const std::string& input = "true") {
    const std::string command = fmt::format("({}) | openssl s_client -connect 127.0.0.1:{} -cert {} -key {} {} 2>&1", input, port, authority->path("client.pem"),
                                            authority->path("client.key"), options);
    return run_program({"sh", "-c", command}).output;
  }
  /// What comes back to these bytes.
  std::string say_there(const std::string& bytes) {
    const Fd socket = connect_raw(port);
    send_raw(socket.get(), bytes);
    return read_raw(socket.get());
  }
  static std::string alert(char number) { return {'\x15', '\x03', '\x03', '\x00', '\x02', '\x02', number}; }

  static inline std::unique_ptr<Authority> authority;
  std::unique_ptr<Pool> pool = std::make_unique<Pool>(1);
  std::vector<std::string> refusals, kept, exchanged;
  int refused_certificates = 0;  ///< of `refusals`
  int other_revocations = 0;
};

}  // namespace berth::io

#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "core/io/http.h"
#include "core/result.h"
#include "daemon/config/section.h"
#include "daemon/ship/sink.h"
#include "daemon/ship/sinks/courier.h"
#include "daemon/ship/sinks/syslog_message.h"

namespace berth::ship {

/// A server of syslog, and how it is reached.
struct SyslogSettings {
  enum class Transport { udp, tcp, tls };
  /// What counts as taken, of a protocol that acknowledges nothing.
  enum class Receipt {
    read,      ///< the server has read it all: after each batch the connection is ended, and its program ends it in turn
    received,  ///< the server's system has it: the connection is kept, and what its program has not read when it ends is lost
  };

  std::string name;
  Transport transport = Transport::tcp;
  std::string host;
  std::uint16_t port = 601;
  int facility = 3;
  std::size_t most_message = 8192;  ///< bytes
  Receipt receipt = Receipt::read;
  io::TlsOptions tls;
  std::chrono::milliseconds timeout{30'000};  ///< of a batch
  BatchLimits limits{.entries = 16'000, .bytes = 2u << 20};  ///< by TCP and TLS, where the receipt of each batch takes some time
};

/// Reads `address` (`tls://logs.example.org:6514`, `tcp://…`, `udp://…`), `facility`, `max_message`, `receipt`, `timeout`, `ca_file`, `certificate_file` and
/// `key_file`.
SyslogSettings parse_syslog(config::Section& section);

/// Fails with `Errc::usage` where a file that it names cannot be read.
Result<std::unique_ptr<Sink>> make_syslog_sink(SyslogSettings settings);

std::unique_ptr<Courier> make_syslog_courier(SyslogSettings settings);

}  // namespace berth::ship

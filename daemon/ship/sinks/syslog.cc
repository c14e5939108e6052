#include "daemon/ship/sinks/syslog.h"

#include <utility>

#include <fmt/core.h>

#include "core/io/url.h"
#include "daemon/config/values.h"
#include "daemon/ship/sinks/syslog_transports.h"
#include "daemon/ship/sinks/tls_files.h"

namespace berth::ship {
namespace {

using Transport = SyslogSettings::Transport;

// RFC 5426, RFC 6587, RFC 5425.
struct Scheme {
  std::string_view name;
  Transport transport;
  std::uint16_t port;
};
constexpr Scheme kSchemes[] = {{"udp://", Transport::udp, 514}, {"tcp://", Transport::tcp, 601}, {"tls://", Transport::tls, 6514}};

// A server that is not told otherwise takes 8 KiB, rsyslog; more than that is a matter of its configuration. A datagram of more than 64 KiB there is not.
constexpr std::int64_t kLeastMessage = 1024, kMostMessage = 128 << 10, kMostDatagram = 65'000, kUsualDatagram = 2048;

Result<void> read_address(std::string_view text, SyslogSettings& settings) {
  const auto wrong = [&](std::string_view why) {
    return fail(Errc::usage, fmt::format("'{}' {}: give one such as 'tls://logs.example.org:6514', 'tcp://10.0.0.7:601' or 'udp://[::1]:514'", text, why));
  };
  for (const Scheme& scheme : kSchemes) {
    if (!text.starts_with(scheme.name)) continue;
    const std::string_view place = text.substr(scheme.name.size());
    const auto url = io::parse_url("http://" + std::string(place));
    if (!url || url->target != "/" || place.find_first_of("/?#") != std::string_view::npos) return wrong("is no host and port");
    const auto after_brackets = place.rfind(']');
    const bool has_port = place.find(':', after_brackets == std::string_view::npos ? 0 : after_brackets) != std::string_view::npos;
    settings.transport = scheme.transport;
    settings.host = url->host;
    settings.port = has_port ? url->port : scheme.port;
    return {};
  }
  return wrong("has no scheme that berthd knows");
}

}  // namespace

SyslogSettings parse_syslog(config::Section& section) {
  SyslogSettings settings;
  const std::string address = section.string("address", {});
  if (address.empty()) {
    section.complain("address", "a syslog sink needs an 'address', such as address = \"tls://logs.example.org:6514\"");
  } else if (const auto read = read_address(address, settings); !read) {
    section.complain("address", "address: " + read.error().message);
  }
  const bool by_udp = settings.transport == Transport::udp;
  section.read("facility", settings.facility, [](const std::string& text) -> Result<int> {
    const int facility = syslog_facility(text);
    if (facility >= 0) return facility;
    return fail(Errc::usage, fmt::format("'{}' is no facility of syslog, such as \"daemon\", \"user\" or \"local0\"", text));
  });
  settings.most_message = static_cast<std::size_t>(
      section.integer("max_message", by_udp ? kUsualDatagram : static_cast<std::int64_t>(settings.most_message), kLeastMessage, by_udp ? kMostDatagram : kMostMessage));
  section.read("receipt", settings.receipt, [](const std::string& text) -> Result<SyslogSettings::Receipt> {
    if (text == "read") return SyslogSettings::Receipt::read;
    if (text == "received") return SyslogSettings::Receipt::received;
    return fail(Errc::usage, fmt::format("'{}': what counts as taken is \"read\" or \"received\"", text));
  });
  if (section.has("receipt") && by_udp) section.complain("receipt", "receipt is for tcp:// and tls://: by UDP nobody knows what arrives");
  section.read("timeout", settings.timeout, [](const std::string& text) { return config::parse_interval(text); });
  settings.tls = parse_tls(section, settings.transport == Transport::tls);
  return settings;
}

std::unique_ptr<Courier> make_syslog_courier(SyslogSettings settings) {
  if (settings.transport == Transport::udp) return make_syslog_datagrams(std::move(settings));
  return make_syslog_stream(std::move(settings));
}

Result<std::unique_ptr<Sink>> make_syslog_sink(SyslogSettings settings) {
  BERTH_CHECK(check_tls(settings.tls));
  std::string name = settings.name;
  const BatchLimits limits = settings.transport == Transport::udp ? BatchLimits() : settings.limits;
  return make_threaded_sink(std::move(name), limits, make_syslog_courier(std::move(settings)));
}

}  // namespace berth::ship

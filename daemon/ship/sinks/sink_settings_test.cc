#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/ship/sinks/journald.h"
#include "daemon/ship/sinks/loki.h"
#include "daemon/ship/sinks/otlp.h"
#include "daemon/ship/sinks/syslog.h"

namespace berth::ship {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// What a `[[sink]]` of those keys says, and what is wrong with it.
template <class Settings>
struct Parsed {
  Settings settings;
  std::string complaints;
};
template <class Settings>
Parsed<Settings> parse_sink(Settings (*parse)(config::Section&), const std::string& keys) {
  auto document = config::Document::parse("[[sink]]\n" + keys + "\n", "t");
  EXPECT_TRUE(document) << document.error().message;
  Parsed<Settings> parsed;
  EXPECT_EQ(document->count("sink"), 1u);
  {
    config::Section section = document->element("sink", 0);
    parsed.settings = parse(section);
  }
  if (const auto done = document->done(); !done) parsed.complaints = done.error().message;
  return parsed;
}

TEST(SinkSettings, SyslogAddressesAreRead) {
  using Transport = SyslogSettings::Transport;
  struct Case {
    const char* address;
    Transport transport;
    const char* host;
    int port;
  };
  const Case cases[] = {{"tls://logs.example.org", Transport::tls, "logs.example.org", 6514},
                        {"tcp://10.0.0.7:601", Transport::tcp, "10.0.0.7", 601},
                        {"tcp://logs:80", Transport::tcp, "logs", 80},
                        {"udp://[::1]", Transport::udp, "::1", 514},
                        {"udp://[::1]:5514", Transport::udp, "::1", 5514}};
  for (const Case& each : cases) {
    const auto parsed = parse_sink(&parse_syslog, std::string("address = \"") + each.address + "\"");
    EXPECT_EQ(parsed.complaints, "") << each.address;
    EXPECT_EQ(parsed.settings.transport, each.transport) << each.address;
    EXPECT_EQ(parsed.settings.host, each.host);
    EXPECT_EQ(parsed.settings.port, each.port);
    EXPECT_EQ(parsed.settings.most_message, each.transport == Transport::udp ? 2048u : 8192u);
  }
}

TEST(SinkSettings, SyslogReadsEveryKey) {
  const auto parsed = parse_sink(&parse_syslog,
                                 "address = \"tls://logs.example.org\"\nfacility = \"local3\"\nmax_message = 65536\nreceipt = \"received\"\ntimeout = \"5s\"\n"
                                 "ca_file = \"/etc/ca.pem\"\ncertificate_file = \"/etc/c.pem\"\nkey_file = \"/etc/c.key\"");
  EXPECT_EQ(parsed.complaints, "");
  EXPECT_EQ(parsed.settings.facility, 19);
  EXPECT_EQ(parsed.settings.most_message, 65536u);
  EXPECT_EQ(parsed.settings.receipt, SyslogSettings::Receipt::received);
  EXPECT_EQ(parsed.settings.timeout, 5s);
  EXPECT_EQ(parsed.settings.tls.key_file, "/etc/c.key");
}

TEST(SinkSettings, SyslogSaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "t:1:1: a syslog sink needs an 'address'"},
      {"address = \"logs:514\"", "t:2:11: address: 'logs:514' has no scheme that berthd knows: give one such as 'tls://"},
      {"address = \"tcp://a/b\"", "is no host and port"},
      {"address = \"tcp://\"", "is no host and port"},
      {"address = \"tcp://a:x\"", "is no host and port"},
      {"address = \"tcp://a\"\nfacility = \"x\"", "'x' is no facility of syslog"},
      {"address = \"udp://a\"\nmax_message = 70000", "'max_message' is not a whole number from 1024 to 65000"},
      {"address = \"tcp://a\"\nmax_message = 100", "from 1024 to 131072"},
      {"address = \"tcp://a\"\nca_file = \"/x\"", "ca_file is for tls:// and https:// alone"},
      {"address = \"tls://a\"\nkey_file = \"/x\"", "certificate_file and key_file go together"},
      {"address = \"udp://a\"\nreceipt = \"read\"", "by UDP nobody knows what arrives"},
      {"address = \"tcp://a\"\nreceipt = \"none\"", "'none': what counts as taken"},
      {"address = \"tcp://a\"\nfacilty = \"daemon\"", "did you mean 'facility'?"},
  };
  for (const auto& [keys, complaint] : cases) EXPECT_THAT(parse_sink(&parse_syslog, keys).complaints, HasSubstr(complaint)) << keys;
}

TEST(SinkSettings, JournaldReadsItsKeys) {
  const auto parsed = parse_sink(&parse_journald, "socket = \"/run/j\"\ntimeout = \"3s\"");
  EXPECT_EQ(parsed.complaints, "");
  EXPECT_EQ(parsed.settings.socket, "/run/j");
  EXPECT_EQ(parsed.settings.timeout, 3s);
  EXPECT_EQ(parse_sink(&parse_journald, "").settings.socket, "/run/systemd/journal/socket");
  EXPECT_THAT(parse_sink(&parse_journald, "socket = \"j\"").complaints, HasSubstr("'j' is not an absolute path"));
}

TEST(SinkSettings, LokiAndOtlpReadEveryKey) {
  const auto parsed = parse_sink(&parse_loki,
                                 "url = \"https://loki.example.org/\"\ntenant = \"team-a\"\ntoken = \"env:TOKEN\"\ntoken_header = \"X-Key\"\nca_file = \"/etc/ca.pem\"\n"
                                 "certificate_file = \"/c\"\nkey_file = \"/k\"\nproxy = \"\"\ncompression = \"none\"\ntimeout = \"5s\"");
  EXPECT_EQ(parsed.complaints, "");
  EXPECT_EQ(parsed.settings.access.url, "https://loki.example.org/loki/api/v1/push");
  EXPECT_EQ(parsed.settings.access.token_header, "x-key");
  EXPECT_EQ(parsed.settings.access.proxy, "");
  EXPECT_FALSE(parsed.settings.access.compress);
  EXPECT_EQ(parsed.settings.tenant, "team-a");
  EXPECT_TRUE(parsed.settings.has_metadata);
  EXPECT_FALSE(parse_sink(&parse_loki, "url = \"https://a\"\nmetadata = false").settings.has_metadata);
  const auto otlp = parse_sink(&parse_otlp, "url = \"http://127.0.0.1:4318/v1/logs\"\nuser = \"u\"\npassword = \"env:P\"");
  EXPECT_EQ(otlp.complaints, "");
  EXPECT_EQ(otlp.settings.access.url, "http://127.0.0.1:4318/v1/logs");
  EXPECT_TRUE(otlp.settings.access.compress);
}

TEST(SinkSettings, LokiAndOtlpSayWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "the sink needs a 'url', such as url = \"https://"},
      {"url = \"file:///x\"", "is no web server"},
      {"url = \"loki:3100\"", "is no URL"},
      {"url = \"https://a\"\ntoken = \"abc\"", "it is no reference to a secret"},
      {"url = \"http://a\"\ntoken = \"env:T\"", "would be sent over plain http"},
      {"url = \"https://a\"\ntoken = \"env:T\"\nuser = \"u\"\npassword = \"env:P\"", "a request has room for one of them"},
      {"url = \"https://a\"\nuser = \"u\"", "user and password go together"},
      {"url = \"https://a\"\ntoken_header = \"x\"", "token_header is of a 'token'"},
      {"url = \"https://a\"\ntoken = \"env:T\"\ntoken_header = \"a b\"", "is no name of a header"},
      {"url = \"https://a\"\ncompression = \"zstd\"", "compression is \"gzip\" or \"none\""},
      {"url = \"http://a\"\nca_file = \"/x\"", "ca_file is for tls:// and https:// alone"},
      {"url = \"https://a\"\ntimeout = \"0s\"", "is not from '1s'"},
  };
  for (const auto& [keys, complaint] : cases) EXPECT_THAT(parse_sink(&parse_otlp, keys).complaints, HasSubstr(complaint)) << keys;
  EXPECT_THAT(parse_sink(&parse_loki, "url = \"https://a\"\ntenant = \"a b\"").complaints, HasSubstr("tenant: "));
  EXPECT_THAT(parse_sink(&parse_otlp, "url = \"https://a\"\ntenant = \"a\"").complaints, HasSubstr("unknown key 'tenant'"));
}

TEST(SinkSettings, AFileThatIsNotThereIsNamed) {
  OtlpSettings settings;
  settings.access = {.url = "https://a/v1/logs", .tls = {.ca_file = "/nonexistent.pem"}};
  const auto sink = make_otlp_sink(settings, {});
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().code, Errc::usage);
  EXPECT_THAT(sink.error().message, HasSubstr("ca_file: "));
}

}  // namespace
}  // namespace berth::ship

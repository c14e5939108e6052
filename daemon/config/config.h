#pragma once

#include <any>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"
#include "daemon/config/sources.h"

namespace berth::config {

namespace fs = std::filesystem;

/// A numeric address and a port to listen at.
struct Listen {
  std::string address;  ///< IPv4 or IPv6, without brackets
  std::uint16_t port = 0;

  bool operator==(const Listen&) const = default;
};

enum class LogLevel { trace, debug, info, warning, error };

/// `[repository]`.
struct Repository {
  std::string url;                    ///< empty: there is none; without a trailing slash
  std::vector<std::string> mirrors;   ///< of the same, tried in this order where `url` does not answer
  fs::path root;
  std::string token, user, password;  ///< `token` and `password` are references to secrets; or empty
  std::optional<std::string> proxy;   ///< absent: as the environment says; empty: none
  std::uint64_t rate_limit = 0;       ///< bytes a second; 0: no limit
  fs::path ca_file, certificate_file, key_file;  ///< or empty

  bool operator==(const Repository&) const = default;
};

/// A part of each week, by this machine's own clock and time zone.
struct Window {
  std::string text;        ///< as it was said: "Mon-Fri 22:00-04:00"
  unsigned days = 0;       ///< on which it begins, a bit each; Monday's is the lowest
  int from = 0, until = 0; ///< minutes of the day; where `until` is not later, it is that of the day after

  bool operator==(const Window&) const = default;
};

/// `[[follow]]`: an app that goes where a channel of the repository points, or to one release.
struct Follow {
  std::string app;
  std::string channel;  ///< or, where it is empty,
  std::string release;  ///< the id of one
  std::chrono::milliseconds interval = std::chrono::minutes(1);  ///< between two polls; each wait is up to a tenth shorter or longer
  std::vector<Window> windows{};  ///< in which what runs may be moved; none: at any time

  bool operator==(const Follow&) const = default;
};

/// A kind of sinks: how its own keys are read. Who has it knows what it gives.
struct SinkKind {
  std::string name;
  std::function<std::any(class Section&)> read;
};

/// `[[sink]]`: where logs go.
struct Sink {
  std::string name, kind;
  std::vector<std::string> apps;              ///< whose logs; empty: all
  std::map<std::string, std::string> labels;  ///< added to each entry
  bool required = true;                       ///< lines that it never gets are a trouble
  bool events = false, daemon = false;        ///< it gets the node's events, and berthd's own log
  std::size_t batch_lines = 16'000;           ///< at most, and no more than its kind takes at once
  std::size_t batch_bytes = 2u << 20;         ///< likewise
  std::chrono::milliseconds batch_wait{1000};
  std::any settings;                          ///< as its kind reads them
  std::string said;                           ///< all of it, as a text
  std::string at;                             ///< "conf.d/10-loki.toml:1:1": where it stands

  bool operator==(const Sink& other) const { return said == other.said; }
};

/// What a webhook's body is: all that an event tells, or a text alone, as chats take it.
enum class WebhookFormat { event, chat };

/// `[[webhook]]`: where events go.
struct Webhook {
  std::string name;
  std::string url;                  ///< http:// or https://, or a reference to a secret that is one
  std::string secret;               ///< a reference to what requests are signed with; empty: they are not
  std::vector<std::string> events;  ///< patterns, see `matches_type`
  std::vector<std::string> apps;    ///< whose events, besides those of the node; empty: all
  WebhookFormat format = WebhookFormat::event;
  std::chrono::milliseconds keep = std::chrono::hours(72);  ///< for how long an event waits for who does not take it
  std::chrono::milliseconds timeout{15'000};                ///< of one request
  std::optional<std::string> proxy;                         ///< absent: as the environment says; empty: none
  fs::path ca_file, certificate_file, key_file;             ///< or empty
  std::string said;                                         ///< all of it, as a text
  std::string at;                                           ///< "conf.d/10-hooks.toml:1:1": where it stands
  std::map<std::string, std::string> keys_at;               ///< "conf.d/10-hooks.toml:4:10": where those stand that name files

  bool operator==(const Webhook& other) const { return said == other.said; }
};

/// PEM files of a listener that speaks TLS.
struct TlsFiles {
  fs::path certificate_file, key_file;  ///< or empty: it speaks plain HTTP
  fs::path client_ca_file;              ///< empty: clients are asked for no certificate
  fs::path client_crl_file{};           ///< the lists of what those authorities revoked; empty: none are looked at

  bool operator==(const TlsFiles&) const = default;
};

/// `[api]` with `listen`: where the control API is for clients with a certificate.
struct RemoteApi {
  Listen listen;
  TlsFiles files;

  bool operator==(const RemoteApi&) const = default;
};

/// What a client may do; each may do what those before it may.
enum class ClientRole { viewer, deployer, operator_, admin };

/// `[[api.client]]`: whose certificate may do what.
struct ApiClient {
  std::string name;               ///< among the subject alternative names: a DNS name, also as "*.example.org", a URI or an e-mail address
  ClientRole role = ClientRole::viewer;
  std::vector<std::string> apps;  ///< that it sees and changes; empty: all

  bool operator==(const ApiClient&) const = default;
};

/// `[[api.local]]`: what members of a Unix group may do at the control socket.
struct ApiGroup {
  std::string group;
  ClientRole role = ClientRole::viewer;
  std::vector<std::string> apps;  ///< that they see and change; empty: all

  bool operator==(const ApiGroup&) const = default;
};

/// "APP:VALUE", each; absent: everything is allowed.
using AppRules = std::optional<std::vector<std::pair<std::string, std::string>>>;

/// `[policy]`: what this node lets releases ask for.
struct Policy {
  AppRules users, groups, capabilities, secret_folders;

  bool operator==(const Policy&) const = default;
};

/// What berthd.toml says, with the files beside it. Every key is explained in `config/berthd.toml`; the values here are the defaults.
struct Config {
  std::string node;         ///< the host's name where the file has none
  std::string environment;  ///< the only key that must be there
  std::map<std::string, std::string> labels;

  fs::path state = "/var/lib/berth";
  fs::path logs = "/var/log/berth";
  fs::path run = "/run/berth";

  Repository repository;
  std::vector<Follow> follow;  ///< each app once
  std::vector<Sink> sinks;     ///< each name once
  std::vector<Webhook> webhooks;  ///< likewise
  bool compress_logs = true;   ///< those that are rotated

  std::optional<Listen> metrics = Listen{"127.0.0.1", 9464};  ///< empty: on the control socket alone
  TlsFiles metrics_tls;                                       ///< of that listener
  std::string metrics_token;                                  ///< a reference to what it wants to be shown; empty: nothing
  bool status_page = false;                                   ///< a status page is there, too
  std::string group = "berth";                                ///< whose members may do everything; empty: root alone
  std::vector<ApiGroup> groups;                               ///< with other roles, each group once
  std::optional<RemoteApi> remote;                            ///< absent: on the control socket alone
  std::vector<ApiClient> clients;                             ///< of that, each name once
  std::uint64_t reserve = 256'000'000;                        ///< bytes
  int keep_releases = 3;
  std::chrono::milliseconds keep_age{0};                      ///< of an app's releases; 0: however old they are
  std::uint64_t keep_bytes = 0;                               ///< that an app's releases may have; 0: any number
  std::chrono::milliseconds verify_every = std::chrono::hours(24);  ///< 0: never unasked
  std::vector<std::string> secret_commands;                   ///< the programs that a release's `command:` may name
  Policy policy;
  int start_at_once = 0;                                      ///< instances that a start of the node starts at once; 0: by the number of CPUs
  bool keep_orphans = true;                                   ///< an app whose keeper was killed goes on under a new one
  LogLevel log_level = LogLevel::info;

  std::vector<fs::path> files;  ///< that say all this, see `files_of`
};

/// Reads the text of a berthd.toml. `name` is the file's, `host` the machine's, for a node without a name. Fails with `Errc::usage` and a line for each
/// complaint: "berthd.toml:12:3: unknown key 'lissten' in [metrics] (did you mean 'listen'?)". A `[[sink]]` is of one of `kinds`.
Result<Config> parse(std::string_view text, std::string_view name, std::string_view host, const std::vector<SinkKind>& kinds = {});
/// The same of several files, see `merge`. One at least.
Result<Config> parse(const std::vector<Source>& sources, std::string_view host, const std::vector<SinkKind>& kinds = {});
/// Where a later one of the files has another value than an earlier one, a line each, see `Document::overrides`; empty where they cannot be put together.
std::vector<std::string> overrides(const std::vector<Source>& sources);

/// What of a berthd.toml, and of the files beside it, says how its repository is read. The rest is not looked at.
struct RepositoryAccess {
  Repository repository;
  std::vector<std::string> secret_commands;
};
Result<RepositoryAccess> load_repository(const fs::path& file);

/// Reads the file and those beside it that add to it. Whatever is wrong with them is `Errc::usage`, also that the file is missing.
Result<Config> load(const fs::path& file, const std::vector<SinkKind>& kinds = {});

/// The tables, as they are written in the file, in which `said` has something else than the configuration that berthd runs with and that only a restart
/// takes over: "[repository]", "[[follow]]", and keys of no table: "node".
std::vector<std::string> changed_until_restart(const Config& running, const Config& said);

/// Whether the files that the configuration names are there and can be read: what `berthd --check` looks at besides. Fails with `Errc::usage`.
Result<void> check_files(const Config& config);
/// Why a file that the configuration names cannot be used, and what to do: "open /nope: No such file or directory: put it there, or name another file".
std::string unusable(const Error& error);
/// "[api] key_file /etc/berth/edge-1.key: everybody on this node can read it: …"; empty where that is not so, or there is no such file.
std::string open_secret(const char* name, const fs::path& file);
/// The same of each secret that the configuration names as a file of its own.
std::vector<std::string> open_secrets(const Config& config);

}  // namespace berth::config

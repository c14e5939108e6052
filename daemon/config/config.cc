#include "daemon/config/config.h"

#include <algorithm>
#include <limits>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files/files.h"
#include "core/ids.h"
#include "core/spec/capabilities.h"
#include "daemon/config/api.h"
#include "daemon/config/section.h"
#include "daemon/config/show.h"
#include "daemon/config/sinks.h"
#include "daemon/config/values.h"
#include "daemon/config/webhooks.h"

namespace berth::config {
namespace {

constexpr std::size_t kLongestLabelValue = 256;
constexpr std::size_t kMostWindows = 50;  ///< of an app
constexpr std::size_t kMostFollowed = 256;  ///< apps; each is a poll of its own

Result<std::string> node_name(std::string_view text) {
  if (is_node_name(text)) return std::string(text);
  return fail(Errc::usage, fmt::format("'{}' is no name for a node: letters, digits, '.', '_' and '-', 64 at most", text));
}

void read_top(Document& document, Config& config, std::string_view host) {
  Section section = document.section("");
  for (const char* table : {"labels", "paths", "repository", "metrics", "api", "store", "start", "secrets", "policy", "keepers", "log", "logs", "follow", "sink", "webhook"}) section.table(table);
  config.node = host;
  section.read("node", config.node, node_name);
  section.read("environment", config.environment, [](const std::string& text) -> Result<std::string> {
    if (is_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name for an environment: a small letter, then small letters, digits and '-', 31 at most", text));
  });
  if (!section.has("environment"))
    section.complain("environment", "'environment' is missing: say which one this node has, such as environment = \"production\"");
  if (section.has("node")) return;
  if (!is_node_name(host)) section.complain("node", fmt::format("the host's name '{}' cannot be the node's: give one with the key 'node'", host));
}

void read_labels(Document& document, Config& config) {
  Section section = document.section("labels");
  for (const std::string& key : section.other_keys()) {
    std::string value = section.string(key, {});
    const bool plain = std::ranges::none_of(value, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
    if (!is_label(key)) section.complain(key, fmt::format("'{}' is no name for a label: letters, digits, '_' and '-', 63 at most", key));
    if (!plain || value.size() > kLongestLabelValue)
      section.complain(key, fmt::format("{}: a label is one line of at most {} bytes", key, kLongestLabelValue));
    config.labels[key] = std::move(value);
  }
}

void read_paths(Document& document, Config& config) {
  Section section = document.section("paths");
  const auto path = [](const std::string& text) { return parse_path(text); };
  section.read("state", config.state, path);
  section.read("logs", config.logs, path);
  section.read("run", config.run, [](const std::string& text) -> Result<fs::path> {
    auto parsed = parse_path(text);
    if (parsed && parsed->native().size() > kLongestRunPath)
      return fail(Errc::usage, fmt::format("'{}' has {} bytes; {} at most, since the sockets below it must fit the 108 bytes of a Unix address", text,
                                           parsed->native().size(), kLongestRunPath));
    return parsed;
  });
  if (config.state == config.logs || config.state == config.run || config.logs == config.run)
    section.complain(section.has("run") ? "run" : "state", "state, logs and run must be three folders");
}

/// Who we are to the repository, and the way there.
void read_access(Section& section, Repository& repository) {
  const auto reference = [](const std::string& text) { return parse_reference(text); };
  section.read("token", repository.token, reference);
  section.read("password", repository.password, reference);
  repository.user = section.string("user", {});
  if (repository.user.find(':') != std::string::npos) section.complain("user", "user: it has a ':' in it, which a server takes for the end of it");
  if (section.has("user") != section.has("password"))
    section.complain(section.has("user") ? "user" : "password", "user and password go together: give both or none");
  if (section.has("token") && section.has("user")) section.complain("token", "token or user and password: a request has room for one of them");
  section.read("proxy", repository.proxy, [](const std::string& text) -> Result<std::optional<std::string>> {
    BERTH_TRY(std::string proxy, parse_proxy(text));
    return std::optional(std::move(proxy));
  });
  section.read("rate_limit", repository.rate_limit, [](const std::string& text) { return parse_size(text); });
  if (!section.has("url"))
    if (section.has("mirrors")) section.complain("mirrors", "mirrors are of a 'url', which is missing");
}

void read_repository(Document& document, Repository& repository) {
  Section section = document.section("repository");
  const auto path = [](const std::string& text) { return parse_path(text); };
  section.read("url", repository.url, [](const std::string& text) { return parse_url(text); });
  for (const std::string& text : section.strings("mirrors")) {
    if (auto mirror = parse_url(text)) repository.mirrors.push_back(std::move(*mirror));
    else section.complain("mirrors", "mirrors: " + mirror.error().message);
  }
  section.read("root", repository.root, path);
  read_access(section, repository);
  section.read("ca_file", repository.ca_file, path);
  section.read("certificate_file", repository.certificate_file, path);
  section.read("key_file", repository.key_file, path);
  if (section.has("url") && !section.has("root"))
    section.complain("url", "[repository] has no 'root': nothing is believed without the repository's first root.json");
  if (section.has("certificate_file") != section.has("key_file"))
    section.complain(section.has("key_file") ? "key_file" : "certificate_file", "certificate_file and key_file go together: give both or none");
  const auto is_secure = [](const std::string& url) { return url.starts_with("https://"); };
  if (is_secure(repository.url) || std::ranges::any_of(repository.mirrors, is_secure)) return;
  for (const char* key : {"ca_file", "certificate_file", "key_file"})
    if (section.has(key)) section.complain(key, fmt::format("{} is for https:// alone", key));
}

/// What protects the metrics listener, and whether it fits together.
void read_metrics_access(Section& section, Config& config) {
  TlsFiles& tls = config.metrics_tls;
  const std::pair<const char*, fs::path*> files[] = {{"certificate_file", &tls.certificate_file}, {"key_file", &tls.key_file}, {"client_ca_file", &tls.client_ca_file}, {"client_crl_file", &tls.client_crl_file}};
  for (const auto& [key, path] : files) section.read(key, *path, [](const std::string& text) { return parse_path(text); });
  section.read("token", config.metrics_token, [](const std::string& text) { return parse_reference(text); });
  if (section.has("certificate_file") != section.has("key_file"))
    section.complain(section.has("key_file") ? "key_file" : "certificate_file", "certificate_file and key_file go together: give both or none");
  if (section.has("client_ca_file") && !section.has("certificate_file") && !section.has("key_file"))
    section.complain("client_ca_file", "client_ca_file is for TLS: give certificate_file and key_file as well");
  if (section.has("client_crl_file") && !section.has("client_ca_file"))
    section.complain("client_crl_file", "client_crl_file is the lists of what the authorities of client_ca_file revoked: give that as well");
  if (!config.metrics) {
    for (const char* key : {"certificate_file", "key_file", "client_ca_file", "client_crl_file", "token"})
      if (section.has(key)) section.complain(key, fmt::format("{} is for a listener of metrics, and [metrics] listen is empty", key));
    return;
  }
  if (section.has("token") && !section.has("certificate_file") && !section.has("key_file") && !is_loopback(*config.metrics))
    section.complain("token", fmt::format("token: whoever looks on could read it on its way to {}, where plain HTTP is spoken: give certificate_file and key_file, or listen at 127.0.0.1",
                                          to_string(*config.metrics)));
}

void read_metrics(Document& document, Config& config) {
  Section section = document.section("metrics");
  section.read("listen", config.metrics, [](const std::string& text) -> Result<std::optional<Listen>> {
    if (text.empty()) return std::optional<Listen>();
    auto listen = parse_listen(text);
    if (!listen) return pass(listen.error());
    return std::optional(std::move(*listen));
  });
  config.status_page = section.truth("page", config.status_page);
  read_metrics_access(section, config);
}

/// One `[[follow]]`, and whether it says a whole thing.
void read_followed(Section& section, Follow& follow) {
  section.read("app", follow.app, [](const std::string& text) -> Result<std::string> {
    if (is_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name of an app: a small letter, then small letters, digits and '-', 31 at most", text));
  });
  section.read("channel", follow.channel, [](const std::string& text) -> Result<std::string> {
    if (is_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name of a channel, such as 'stable'", text));
  });
  section.read("release", follow.release, [](const std::string& text) -> Result<std::string> {
    if (is_release_id(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no release id, such as 'v42'", text));
  });
  section.read("interval", follow.interval, [](const std::string& text) { return parse_interval(text); });
  for (const std::string& text : section.strings("windows")) {
    auto window = parse_window(text);
    if (window) follow.windows.push_back(std::move(*window));
    else section.complain("windows", "windows: " + window.error().message);
  }
  if (follow.windows.size() > kMostWindows) section.complain("windows", fmt::format("more than {} windows", kMostWindows));
  if (!section.has("app")) section.complain("app", "[[follow]] has no 'app': say which one follows");
  if (section.has("channel") && section.has("release")) section.complain("release", "channel or release: a [[follow]] has room for one of them");
  if (!section.has("channel") && !section.has("release"))
    section.complain(section.has("app") ? "app" : "channel",
                     "[[follow]] has neither 'channel' nor 'release': say what is followed, such as channel = \"stable\"");
}

void read_follow(Document& document, Config& config) {
  const std::size_t count = document.count("follow");
  for (std::size_t i = 0; i < count; ++i) {
    Section section = document.element("follow", i);
    Follow follow;
    read_followed(section, follow);
    if (i == 0 && config.repository.url.empty()) section.complain("app", "[[follow]] needs a [repository] with a 'url' to ask");
    if (i == kMostFollowed) section.complain("app", fmt::format("more than {} apps follow", kMostFollowed));
    if (!follow.app.empty() && std::ranges::find(config.follow, follow.app, &Follow::app) != config.follow.end())
      section.complain("app", fmt::format("app: '{}' follows twice; an app goes one way", follow.app));
    config.follow.push_back(std::move(follow));
  }
}

/// "web:root", "*:root". What is right behind the colon `read_value` says.
template <class Read>
void read_app_rules(Section& section, const char* key, AppRules& rules, Read read_value) {
  const auto texts = section.strings(key);
  if (!section.has(key)) return;
  rules.emplace();
  for (const std::string& text : texts) {
    const auto colon = text.find(':');
    const std::string app = text.substr(0, colon);
    if (colon == std::string::npos || (app != "*" && !is_name(app))) {
      section.complain(key, fmt::format("{}: '{}' is not APP:…, an app's name or '*', a colon, and what it may have", key, text));
      continue;
    }
    auto value = read_value(text.substr(colon + 1));
    if (value) rules->emplace_back(app, std::move(*value));
    else section.complain(key, fmt::format("{}: {}", key, value.error().message));
  }
}

void read_policy(Document& document, Policy& policy) {
  Section section = document.section("policy");
  read_app_rules(section, "users", policy.users, [](const std::string& text) -> Result<std::string> {
    if (text == "*" || is_group_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name of a user", text));
  });
  read_app_rules(section, "groups", policy.groups, [](const std::string& text) -> Result<std::string> {
    if (text == "*" || is_group_name(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no name for a group", text));
  });
  read_app_rules(section, "capabilities", policy.capabilities, [](const std::string& text) -> Result<std::string> {
    if (text == "*" || spec::capability(text)) return text;
    return fail(Errc::usage, fmt::format("'{}' is no capability, such as CAP_NET_BIND_SERVICE", text));
  });
  read_app_rules(section, "secret_folders", policy.secret_folders, [](const std::string& text) -> Result<std::string> {
    BERTH_TRY(const fs::path path, parse_path(text));
    return path.string();
  });
}

void read_secrets(Document& document, std::vector<std::string>& commands) {
  Section section = document.section("secrets");
  for (const std::string& text : section.strings("commands")) {
    if (auto program = parse_path(text)) commands.push_back(program->string());
    else section.complain("commands", "commands: " + program.error().message);
    if (text.find(' ') != std::string::npos) section.complain("commands", fmt::format("commands: '{}' has a space in it: give the program's path alone", text));
  }
}

void read_rest(Document& document, Config& config) {
  read_api(document, config);
  Section store = document.section("store");
  store.read("reserve", config.reserve, [](const std::string& text) { return parse_size(text); });
  config.keep_releases = static_cast<int>(store.integer("keep_releases", config.keep_releases, 0, 1000));
  const auto period_or_none = [](const std::string& text) -> Result<std::chrono::milliseconds> {
    if (text.empty()) return std::chrono::milliseconds(0);
    return parse_period(text);
  };
  store.read("keep_age", config.keep_age, period_or_none);
  if (config.keep_age.count() == 0) store.by_default("\"\"");
  store.read("keep_bytes", config.keep_bytes, [](const std::string& text) -> Result<std::uint64_t> {
    if (text.empty()) return std::uint64_t{0};
    return parse_size(text);
  });
  if (config.keep_bytes == 0) store.by_default("\"\"");
  store.read("verify_every", config.verify_every, period_or_none);
  Section start = document.section("start");
  config.start_at_once = static_cast<int>(start.integer("at_once", config.start_at_once, 0, 1000));
  read_secrets(document, config.secret_commands);
  read_policy(document, config.policy);
  Section keepers = document.section("keepers");
  keepers.read("orphans", config.keep_orphans, [](const std::string& text) -> Result<bool> {
    if (text == "keep" || text == "restart") return text == "keep";
    return fail(Errc::usage, fmt::format("'{}': what becomes of an app whose keeper was killed is \"keep\" or \"restart\"", text));
  });
  keepers.by_default(R"("keep")");
  Section logs = document.section("logs");
  config.compress_logs = logs.truth("compress", config.compress_logs);
  Section log = document.section("log");
  log.read("level", config.log_level, [](const std::string& text) { return parse_level(text); });
  log.by_default(R"("info")");
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

Result<Config> read_document(Document& document, std::string_view host, const std::vector<SinkKind>& kinds) {
  Config config;
  read_top(document, config, host);
  read_labels(document, config);
  read_paths(document, config);
  read_repository(document, config.repository);
  read_metrics(document, config);
  read_rest(document, config);
  read_follow(document, config);
  read_sinks(document, kinds, config);
  read_webhooks(document, config.webhooks);
  BERTH_CHECK(document.done());
  return config;
}

Result<Config> parse(std::string_view text, std::string_view name, std::string_view host, const std::vector<SinkKind>& kinds) {
  return parse({Source{.name = std::string(name), .text = std::string(text)}}, host, kinds);
}

Result<Config> parse(const std::vector<Source>& sources, std::string_view host, const std::vector<SinkKind>& kinds) {
  BERTH_TRY(auto document, Document::parse(sources));
  BERTH_TRY(Config config, read_document(document, host, kinds));
  for (const Source& source : sources) config.files.emplace_back(source.name);
  return config;
}

std::vector<std::string> overrides(const std::vector<Source>& sources) {
  const auto document = Document::parse(sources);
  return document ? document->overrides() : std::vector<std::string>();
}

Result<Config> load(const fs::path& file, const std::vector<SinkKind>& kinds) {
  BERTH_TRY(const auto sources, read_sources(file));
  return parse(sources, host_name(), kinds);
}

Result<std::string> show(const fs::path& file, const std::vector<SinkKind>& kinds) {
  BERTH_TRY(const auto sources, read_sources(file));
  return show(sources, host_name(), kinds);
}

Result<RepositoryAccess> load_repository(const fs::path& file) {
  BERTH_TRY(const auto sources, read_sources(file));
  BERTH_TRY(auto document, Document::parse(sources));
  RepositoryAccess access;
  read_repository(document, access.repository);
  read_secrets(document, access.secret_commands);
  BERTH_CHECK(document.done());
  if (access.repository.url.empty()) return fail(Errc::usage, fmt::format("{}: [repository] has no 'url'", file.string()));
  return access;
}

std::vector<std::string> changed_until_restart(const Config& running, const Config& said) {
  const std::pair<const char*, bool> tables[] = {
      {"node", running.node != said.node},
      {"environment", running.environment != said.environment},
      {"[labels]", running.labels != said.labels},
      {"[paths]", running.state != said.state || running.logs != said.logs || running.run != said.run},
      {"[repository]", running.repository != said.repository},
      {"[[follow]]", running.follow != said.follow},
      {"[metrics]", running.metrics != said.metrics || running.metrics_tls != said.metrics_tls || running.metrics_token != said.metrics_token || running.status_page != said.status_page},
      {"[api]", running.group != said.group || running.remote != said.remote},
      {"[store]", running.reserve != said.reserve || running.keep_releases != said.keep_releases || running.keep_age != said.keep_age || running.keep_bytes != said.keep_bytes ||
                       running.verify_every != said.verify_every},
      {"[start]", running.start_at_once != said.start_at_once},
      {"[secrets]", running.secret_commands != said.secret_commands},
      {"[policy]", running.policy != said.policy},
      {"[keepers]", running.keep_orphans != said.keep_orphans}};
  std::vector<std::string> changed;
  for (const auto& [table, differs] : tables)
    if (differs) changed.emplace_back(table);
  return changed;
}

std::string unusable(const Error& error) {
  if (error.code == Errc::not_found) return error.message + ": put it there, or name another file";
  if (error.code == Errc::permission) return error.message + ": ask again as root, as whom berthd reads it";
  return error.message;
}

Result<void> check_files(const Config& config) {
  BERTH_CHECK(check_webhook_files(config.webhooks));
  const Repository& repository = config.repository;
  const TlsFiles remote = config.remote.value_or(RemoteApi()).files;
  const struct {
    const char *table, *key;
    const fs::path& path;
  } named[] = {{"[repository]", "root", repository.root},
               {"[repository]", "ca_file", repository.ca_file},
               {"[repository]", "certificate_file", repository.certificate_file},
               {"[repository]", "key_file", repository.key_file},
               {"[metrics]", "certificate_file", config.metrics_tls.certificate_file},
               {"[metrics]", "key_file", config.metrics_tls.key_file},
               {"[metrics]", "client_ca_file", config.metrics_tls.client_ca_file},
               {"[metrics]", "client_crl_file", config.metrics_tls.client_crl_file},
               {"[api]", "certificate_file", remote.certificate_file},
               {"[api]", "key_file", remote.key_file},
               {"[api]", "client_ca_file", remote.client_ca_file},
               {"[api]", "client_crl_file", remote.client_crl_file}};
  for (const auto& one : named) {
    if (one.path.empty()) continue;
    if (const auto file = files::open(one.path, O_RDONLY); !file) return fail(Errc::usage, fmt::format("{} {}: {}", one.table, one.key, unusable(file.error())));
  }
  return {};
}

std::string open_secret(const char* name, const fs::path& file) {
  struct stat about{};
  if (file.empty() || ::stat(file.c_str(), &about) != 0 || (about.st_mode & S_IROTH) == 0) return {};
  return fmt::format("{} {}: everybody on this node can read it: chmod o-r {}", name, file.string(), file.string());
}

std::vector<std::string> open_secrets(const Config& config) {
  const std::pair<const char*, fs::path> keys[] = {{"[repository] key_file", config.repository.key_file},
                                                   {"[metrics] key_file", config.metrics_tls.key_file},
                                                   {"[api] key_file", config.remote.value_or(RemoteApi()).files.key_file}};
  std::vector<std::string> open;
  for (const auto& [name, path] : keys)
    if (std::string said = open_secret(name, path); !said.empty()) open.push_back(std::move(said));
  return open;
}

}  // namespace berth::config

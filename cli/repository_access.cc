#include "cli/repository_access.h"

#include <filesystem>
#include <span>

#include <fmt/core.h>

#include "core/io/proxy.h"
#include "core/io/url.h"
#include "daemon/config/config.h"
#include "daemon/config/values.h"
#include "daemon/fetch/blob_source.h"
#include "daemon/secrets/authorization.h"

namespace berth::cli {
namespace {

constexpr const char* kNoProxy = "none";

void take(std::string& into, std::string value) {
  if (into.empty()) into = std::move(value);
}

/// The reference of a file that was named on the command line.
std::string reference_of(const std::string& file) { return "file:" + std::filesystem::absolute(file).string(); }

Result<void> check(const RepositoryLocation& location) {
  if (!location.token_file.empty() && !(location.user.empty() && location.password_file.empty()))
    return fail(Errc::usage, "--token-file, or --user and --password-file: a request has room for one of them");
  if (location.user.empty() != location.password_file.empty()) return fail(Errc::usage, "--user and --password-file go together: give both or none");
  if (location.user.find(':') != std::string::npos) return fail(Errc::usage, "--user: it has a ':' in it, which a server takes for the end of it");
  if (location.tls.certificate_file.empty() != location.tls.key_file.empty())
    return fail(Errc::usage, "--certificate-file and --key-file go together: give both or none");
  return {};
}

}  // namespace

std::vector<Option> location_options(RepositoryLocation& into, std::string what_repo) {
  std::vector<Option> options{
          {"--repo", "DIR|URL", std::move(what_repo), &into.at, Completes::folder},
          {"--root", "FILE", "its root.json that you trust; needed with a URL", &into.root, Completes::file},
          {"--config", "FILE", "a berthd.toml: the repository is the one of its [repository], asked as that says", &into.config, Completes::file},
          {"--mirror", "DIR|URL", "another place of the same files, asked where the first does not answer; may be repeated", &into.mirrors, Completes::folder},
          {"--ca-file", "FILE", "for https: the CAs (PEM) that may vouch for the server", &into.tls.ca_file, Completes::file},
          {"--certificate-file", "FILE", "for https: the certificate (PEM) that says who asks", &into.tls.certificate_file, Completes::file},
          {"--key-file", "FILE", "for https: the key (PEM) of that certificate", &into.tls.key_file, Completes::file},
          {"--token-file", "FILE", "a bearer token for the server, in a file", &into.token_file, Completes::file},
          {"--user", "NAME", "who asks, for a server that wants a password", &into.user},
          {"--password-file", "FILE", "the password of that user, in a file", &into.password_file, Completes::file},
          {"--proxy", "URL", "http://HOST:PORT, or 'none' (default: http_proxy, https_proxy and no_proxy of the environment)", &into.proxy},
          {"--rate-limit", "SIZE", "bytes a second that are fetched at most, such as 2MB", &into.rate_limit}};
  // Most repositories are a folder, or asked as berthd.toml says.
  for (Option& option : std::span(options).subspan(2)) option.rare = true;
  return options;
}

Result<void> take_configuration(RepositoryLocation& location) {
  BERTH_CHECK(check(location));
  if (!location.token_file.empty()) location.token = reference_of(location.token_file);
  if (!location.password_file.empty()) location.password = reference_of(location.password_file);
  if (location.config.empty()) return {};
  if (!location.at.empty()) return fail(Errc::usage, fmt::format("--config {} says which repository is meant, and so does --repo {}", location.config, location.at));
  BERTH_TRY(auto access, config::load_repository(location.config));
  config::Repository& said = access.repository;
  location.at = std::move(said.url);
  take(location.root, said.root.string());
  if (location.mirrors.empty()) location.mirrors = std::move(said.mirrors);
  take(location.tls.ca_file, said.ca_file.string());
  if (location.tls.certificate_file.empty()) {
    location.tls.certificate_file = said.certificate_file.string();
    location.tls.key_file = said.key_file.string();
  }
  if (location.token.empty() && location.user.empty()) {
    location.token = std::move(said.token);
    location.user = std::move(said.user);
    location.password = std::move(said.password);
    location.secret_commands = std::move(access.secret_commands);
  }
  if (said.proxy) take(location.proxy, said.proxy->empty() ? kNoProxy : *said.proxy);
  if (location.rate_limit.empty() && said.rate_limit > 0) location.rate_limit = fmt::format("{}B", said.rate_limit);
  return {};
}

Result<io::FetchOptions> fetch_options_of(const RepositoryLocation& location) {
  io::FetchOptions options = fetch::fetch_options(location.tls);
  options.user_agent = "berth/" BERTH_VERSION;
  if (location.proxy.empty()) options.proxy = io::proxies_of_environment();
  else if (location.proxy != kNoProxy) options.proxy = {.for_http = location.proxy, .for_https = location.proxy, .except = {}};
  if (!location.rate_limit.empty()) {
    auto rate = config::parse_size(location.rate_limit);
    if (!rate) return pass(std::move(rate.error()), "--rate-limit");
    options.bytes_per_second = *rate;
    options.pace = io::shared_pace(*rate);
  }
  const auto authorization = secrets::authorization_of(location.token, location.user, location.password, {.commands = location.secret_commands});
  if (!authorization) return options;
  const auto value = authorization();
  if (!value) return pass(value.error(), "access to the repository");
  options.authorization = value->view();
  return options;
}

io::FetchOptions options_at(const std::string& url, const std::string& home, io::FetchOptions options) {
  const auto here = io::parse_url(url);
  const auto at_home = io::parse_url(home);
  if (!here || !at_home || !io::is_same_origin(*here, *at_home)) options.authorization.clear();
  return options;
}

}  // namespace berth::cli

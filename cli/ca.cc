#include <chrono>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include <fmt/core.h>

#include "cli/ca_revoke.h"
#include "cli/enrol/authority.h"
#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/verbs.h"
#include "core/crypto/keys.h"
#include "core/files/files.h"
#include "core/trust/time.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

using enrol::Authority;
using enrol::Issued;

constexpr std::size_t kMostCertificateRequest = 64u << 10;
constexpr std::int64_t kAuthorityDays = 1825, kCertificateDays = 90, kMostDays = 36500;

struct CaInitOptions {
  std::string folder, name = "berth nodes";
  std::optional<std::int64_t> days;
};

struct CaSignOptions {
  std::string request, ca, out, new_key;
  std::vector<std::string> names;
  std::optional<std::int64_t> days;
  bool client = false;
};

Result<std::chrono::days> days_of(const std::optional<std::int64_t>& said, std::int64_t otherwise) {
  const std::int64_t days = said.value_or(otherwise);
  if (days < 1 || days > kMostDays) return fail(Errc::usage, fmt::format("--days {}: 1 to {}", days, kMostDays));
  return std::chrono::days(days);
}

Result<Exit> init_authority(const Console& console, const CaInitOptions& options) {
  BERTH_TRY(const auto days, days_of(options.days, kAuthorityDays));
  BERTH_TRY(const Authority made, Authority::make(options.folder, options.name, days, std::chrono::system_clock::now()));
  if (console.json) console.document(boost::json::object{{"certificate", made.certificate_file().string()}, {"key", (made.certificate_file().parent_path() / "ca.key").string()}});
  else console.line(fmt::format("{}: the certificate of '{}', for nodes and whoever drives them", made.certificate_file().string(), options.name));
  console.note("Keep ca.key as you keep the keys of root: whoever has it makes himself any client and any node. Next: berth ca sign");
  return Exit::ok;
}

/// The request that is signed: a file, stdin, or one of a new key.
Result<enrol::Request> signed_request_of(const CaSignOptions& options, const std::vector<enrol::Name>& names) {
  if (!options.new_key.empty()) {
    if (names.empty()) return fail(Errc::usage, "berth ca sign: --new-key wants a --name: what the certificate is for");
    const auto saved = crypto::SigningKey::generate(crypto::KeyType::ecdsa_p256).save(options.new_key);
    if (!saved && saved.error().code == Errc::exists)
      return fail(Errc::exists, fmt::format("{}: it is there already, and is not replaced: give --new-key another name, or remove it first", options.new_key));
    if (!saved) return std::unexpected(saved.error());
    BERTH_TRY(const std::string pem, enrol::make_request(options.new_key, names));
    return enrol::read_request(pem, options.new_key);
  }
  if (options.request != "-") {
    const auto pem = files::read(options.request, kMostCertificateRequest);
    if (!pem && pem.error().code == Errc::not_found)
      return fail(Errc::not_found, fmt::format("{}: there is no such file; 'berth node csr' on the node writes a request, and --new-key makes a key in the place of one",
                                               options.request));
    if (!pem) return std::unexpected(pem.error());
    return enrol::read_request(*pem, options.request);
  }
  std::string pem(std::istreambuf_iterator<char>(std::cin), {});
  if (pem.size() > kMostCertificateRequest) return fail(Errc::usage, "what comes by stdin is too long for a certificate request");
  return enrol::read_request(pem, "stdin");
}

/// Where the certificate goes; empty: to stdout.
fs::path place_of_certificate(const CaSignOptions& options) {
  if (options.out == "-" || (options.out.empty() && options.request == "-")) return {};
  if (!options.out.empty()) return options.out;
  return fs::path(options.new_key.empty() ? options.request : options.new_key).replace_extension(".pem");
}

Result<Exit> sign_request(const Console& console, const CaSignOptions& options) {
  if (options.ca.empty()) return fail(Errc::usage, "berth ca sign: --ca DIR is missing: the folder that 'berth ca init' made");
  if (options.request.empty() == options.new_key.empty()) return fail(Errc::usage, "berth ca sign: give the file of a request ('-' for stdin), or --new-key FILE");
  BERTH_TRY(const auto days, days_of(options.days, kCertificateDays));
  BERTH_TRY(auto names, enrol::parse_names(options.names));
  BERTH_TRY(const Authority authority, Authority::open(options.ca));
  const fs::path file = place_of_certificate(options);
  BERTH_TRY(const enrol::Request request, signed_request_of(options, names));
  if (names.empty()) names = request.names;
  const auto made = authority.sign(request, names, options.client ? enrol::Use::client : enrol::Use::server_and_client, days, std::chrono::system_clock::now());
  if (!made && !options.new_key.empty()) fs::remove(options.new_key);  // a key without a certificate is in the way of the next try
  if (!made) return std::unexpected(made.error());
  const Issued& issued = *made;
  if (!file.empty()) BERTH_CHECK(files::replace(file, issued.pem, 0644));
  const std::string ends = trust::to_string(issued.ends);
  if (console.json) {
    console.document(boost::json::object{{"file", file.string()}, {"serial", issued.serial}, {"names", boost::json::array(issued.names.begin(), issued.names.end())}, {"use", issued.use}, {"ends", ends},
                                         {"certificate", issued.pem}});
    return Exit::ok;
  }
  if (file.empty()) console.print(issued.pem);
  const std::string said = fmt::format("{}for {}, as {}, until {}", file.empty() ? "" : file.string() + ": ", enrol::to_string(names), issued.use, ends);
  if (file.empty()) console.warn(said);
  else console.line(said);
  return Exit::ok;
}

boost::json::value revoked_json(const Issued& one) {
  if (!one.revoked) return nullptr;
  return boost::json::object{{"at", trust::to_string(one.revoked->at)}, {"reason", enrol::to_string(one.revoked->reason)}};
}

Cell revoked_cell(const Issued& one) {
  if (!one.revoked) return Cell("-");
  const std::string why = one.revoked->reason == enrol::Reason::unspecified ? "" : " " + enrol::to_string(one.revoked->reason);
  return Cell(trust::to_string(one.revoked->at) + why, Tint::bad);
}

Result<Exit> list_certificates(const Console& console, const std::string& folder) {
  BERTH_TRY(const Authority authority, Authority::open(folder));
  BERTH_TRY(const auto all, authority.issued());
  const auto now = std::chrono::system_clock::now();
  if (console.json) {
    boost::json::array certificates;
    for (const Issued& one : all)
      certificates.push_back({{"serial", one.serial}, {"names", boost::json::array(one.names.begin(), one.names.end())}, {"use", one.use}, {"begins", trust::to_string(one.begins)},
                              {"ends", trust::to_string(one.ends)}, {"ended", one.ends < now}, {"revoked", revoked_json(one)}});
    console.document(boost::json::object{{"certificates", std::move(certificates)}});
    return Exit::ok;
  }
  Table table({"NAMES", "USE", "ENDS", "REVOKED", "SERIAL"});
  for (const Issued& one : all) {
    std::string names;
    for (const std::string& name : one.names) names += (names.empty() ? "" : ", ") + name;
    table.row({printable(names), one.use, Cell(trust::to_string(one.ends), one.ends < now ? Tint::dim : Tint::none), revoked_cell(one), one.serial});
  }
  if (!table.empty()) console.print(table.render(console.colour, console.room()));
  else console.note("It made none yet; 'berth ca sign' does.");
  return Exit::ok;
}

Verb ca_init_verb() {
  auto o = std::make_shared<CaInitOptions>();
  return {.name = "init",
          .summary = "Make an authority for nodes and whoever drives them",
          .text = "A key (P-256, for you alone) and a certificate in a folder of its own, on a machine that you trust. Use it for nothing else.",
          .examples = {"berth ca init ./ca", "berth ca init ./ca --name 'Example nodes' --days 3650"},
          .exits = {Exit::failed, Exit::permission, Exit::conflict},
          .arguments = {{"DIR", "a folder for it", &o->folder, Completes::folder}},
          .options = {{"--name", "NAME", "of the authority, for people (default: berth nodes)", &o->name}, {"--days", "N", "how long it lasts (default: 1825)", &o->days}},
          .action = [o](Console& console) { return init_authority(console, *o); }};
}

Verb ca_sign_verb() {
  auto o = std::make_shared<CaSignOptions>();
  return {.name = "sign",
          .summary = "Make a certificate of a request, or of a new key",
          .text = "It is for the names of the request, or for those that --name gives in their place: look at what is printed, since whoever has that key is believed to be them. Let "
                  "certificates live briefly; 'berth ca revoke' takes one back, also where another one of the same name is made. The certificate is written beside "
                  "the request or the key, as .pem; of a request by stdin it goes to stdout.",
          .examples = {"berth ca sign node.csr --ca ./ca", "berth ca sign --new-key alice.key --name alice@example.org --client --days 30 --ca ./ca # key and certificate of a person, or a pipeline",
                       "ssh edge-1 berth node csr | berth ca sign - --ca ./ca > edge-1.pem # the next one"},
          .exits = {Exit::failed, Exit::not_found, Exit::permission, Exit::conflict},
          .arguments = {{"REQUEST", "the file of a certificate request (PEM); '-' for stdin", &o->request, Completes::file, false}},
          .options = {{"--ca", "DIR", "the authority's folder", &o->ca, Completes::folder},
                      {"--new-key", "FILE", "make a key there (P-256, mode 0600), in the place of a request", &o->new_key, Completes::file},
                      {"--name", "NAME", "a host name, address, e-mail address or URI that it is for; may be repeated", &o->names},
                      {"--client", "", "for a client alone; else for servers and clients, as a node is both", &o->client},
                      {"--days", "N", "how long it lasts (default: 90)", &o->days},
                      {"--out", "FILE", "where the certificate goes; '-' is stdout", &o->out, Completes::file}},
          .action = [o](Console& console) { return sign_request(console, *o); }};
}

Verb ca_list_verb() {
  auto folder = std::make_shared<std::string>();
  return {.name = "list",
          .summary = "List the certificates that an authority made and revoked",
          .examples = {"berth ca list ./ca", "berth ca list ./ca --json"},
          .exits = {Exit::failed, Exit::not_found, Exit::permission},
          .arguments = {{"DIR", "the authority's folder", folder.get(), Completes::folder}},
          .action = [folder](Console& console) { return list_certificates(console, *folder); }};
}

}  // namespace

Verb ca_verb() {
  return {.name = "ca",
          .summary = "An authority of your own, for the certificates of nodes and their clients",
          .examples = {"berth ca init ./ca", "berth ca sign node.csr --ca ./ca", "berth ca revoke alice@example.org --ca ./ca", "berth ca list ./ca"},
          .verbs = {ca_init_verb(), ca_sign_verb(), ca_revoke_verb(), ca_crl_verb(), ca_list_verb()}};
}

}  // namespace berth::cli

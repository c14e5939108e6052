#include <chrono>
#include <filesystem>
#include <memory>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "cli/doctor/subject.h"
#include "cli/enrol/enrolment.h"
#include "cli/enrol/request.h"
#include "cli/repository_source.h"
#include "cli/verbs.h"
#include "core/files/files.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

using enrol::Enrolment;

/// Where the berthd that is installed beside this program has its configuration.
std::string usual_folder() { return doctor::usual_config().parent_path().string(); }

struct EnrolOptions {
  Enrolment enrolment{.folder = {}, .node = {}, .host = {}, .environment = "production"};
  std::string folder = usual_folder(), ca_file, token_file, crl;
  std::vector<std::string> names;
};

std::string machine_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// What is left to do, in the order in which it is done.
void say_next(const Console& console, const Enrolment& enrolment) {
  // Where it is not berthd's own folder, somebody prepares it for another place.
  const std::string file = (enrolment.folder / "berthd.toml").string();
  const std::string then = enrolment.folder == usual_folder() ? "berthd --check, systemctl restart berthd, berth doctor" : fmt::format("berthd --check --config {0}; a berthd that is started with --config {0} has it", file);
  if (!enrolment.listen.empty()) {
    console.note(fmt::format("Next, where the authority is: berth ca sign node.csr --ca DIR, and bring what it makes to {} (node.pem, ca.pem).", enrolment.folder.string()));
    console.note("Then here: " + then);
    if (!enrolment.crl.empty())
      console.note(fmt::format("And bring each list that 'berth ca revoke' or 'berth ca crl' writes to {} by a rename, the next one before this one ends.",
                               (enrolment.folder / "crl.pem").string()));
    return;
  }
  console.note("Next: " + then);
}

Result<Exit> enrol_node(const Console& console, EnrolOptions options) {
  Enrolment& enrolment = options.enrolment;
  for (const auto& [option, value] : {std::pair{"--repo", &enrolment.url}, {"--root", &enrolment.root}})
    if (value->empty()) return fail(Errc::usage, fmt::format("berth node enrol: {} is missing: which repository, and what of it is believed", option));
  enrolment.folder = fs::absolute(options.folder).lexically_normal();
  if (!enrolment.folder.has_filename()) enrolment.folder = enrolment.folder.parent_path();  // "etc/"
  enrolment.host = machine_name();
  enrolment.ca_file = options.ca_file;
  enrolment.token_file = options.token_file;
  enrolment.crl = options.crl;
  BERTH_TRY(enrolment.names, enrol::parse_names(options.names));
  const auto now = std::chrono::system_clock::now();
  BERTH_CHECK(enrol::configuration_of(enrolment));  // before the repository is asked
  BERTH_CHECK(enrol::crl_of(enrolment, now));
  RepositoryLocation location{.at = enrolment.url, .tls = {.ca_file = options.ca_file}, .token_file = options.token_file};
  BERTH_CHECK(take_configuration(location));
  BERTH_TRY(const auto metadata, open_metadata(location));
  const auto done = enrol::enrol(enrolment, *metadata, now);
  if (!done) return std::unexpected(done.error().code == Errc::usage || done.error().code == Errc::exists ? done.error() : of_repository(done.error(), enrolment.url));
  if (console.json) {
    boost::json::array wrote, kept, names;
    for (const auto& file : done->wrote) wrote.emplace_back(file.string());
    for (const auto& file : done->kept) kept.emplace_back(file.string());
    for (const auto& name : done->names) names.emplace_back(name.text);
    console.document(boost::json::object{{"node", done->node}, {"environment", enrolment.environment}, {"names", std::move(names)}, {"wrote", std::move(wrote)}, {"kept", std::move(kept)}});
    return Exit::ok;
  }
  for (const auto& file : done->wrote) console.note("wrote " + file.string());
  for (const auto& file : done->kept) console.note("kept  " + file.string());
  say_next(console, enrolment);
  return Exit::ok;
}

struct CsrOptions {
  std::string folder = usual_folder();
  std::vector<std::string> names;
};

/// A request by the key that is there; for the names of the one before, unless others are said.
Result<Exit> print_request(const Console& console, const CsrOptions& options) {
  const fs::path folder = options.folder;
  BERTH_TRY(auto names, enrol::parse_names(options.names));
  if (names.empty()) {
    if (auto before = enrol::names_of_request(folder / "node.csr")) names = std::move(*before);
    else if (auto host = enrol::parse_name(machine_name())) names.push_back(std::move(*host));
  }
  const fs::path key = folder / "node.key";
  if (const auto open = files::open(key, O_RDONLY); !open) {
    const char* next = open.error().code == Errc::not_found ? " ('berth node enrol' makes it; --folder says where it is)" : "";
    return fail(open.error().code, open.error().message + next);
  }
  BERTH_TRY(const std::string request, enrol::make_request(key.string(), names));
  if (console.json) console.document(boost::json::object{{"request", request}});
  else console.print(request);
  return Exit::ok;
}

}  // namespace

Verb node_enrol_verb() {
  auto o = std::make_shared<EnrolOptions>();
  Enrolment& e = o->enrolment;
  return {
      .name = "enrol",
      .summary = "Set up a new node: its configuration, the root that it believes, a key and a certificate request",
      .text = "Writes berthd.toml, root.json, node.key (for root alone) and node.csr to where berthd has its configuration (/etc/berth; /usr/local/etc/berth where that is what it was built for), once the repository was read with that root. A berthd.toml that "
              "somebody wrote is never replaced; one that is as the package brought it is kept as berthd.toml.shipped. What is in conf.d already stays, and must not say otherwise. With --root sha256:HEX the repository's first root.json "
              "is fetched, and counts if it has that hash, which came to you by a way that you trust. With --listen the node can be driven from elsewhere, by the "
              "clients that --allow names, once its certificate (node.pem) and their authority (ca.pem) are there: 'berth ca' makes both. With --crl whoever "
              "that authority has revoked is refused, and so is everybody once that list has ended: new ones have to be brought. Another list that is there already is not replaced.",
      .examples = {"berth node enrol --repo https://releases.example.org/berth --root ./1.root.json",
                   "berth node enrol --repo https://releases.example.org/berth --root sha256:9f86… --environment qa --label rack=r7 --channel web@stable --name edge-1 --address edge-1.example.org --listen "
                   "0.0.0.0:9465 --allow alice@example.org=operator"},
      .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
      .options = {{"--repo", "URL", "where releases come from: https://, http:// or file://", &e.url},
                  {"--root", "FILE|sha256:HEX", "what of it is believed: its first root.json, or that one's hash", &e.root, Completes::file},
                  {"--environment", "NAME", "of this node (default: production)", &e.environment},
                  {"--name", "NAME", "of this node (default: the host's)", &e.node},
                  {"--label", "KEY=VALUE", "a word about the node that templates may use; may be repeated", &e.labels},
                  {"--channel", "APP@CHANNEL", "an app that goes where this channel points; may be repeated", &e.follow},
                  {"--address", "NAME", "a host name or address that clients call this node by, for its certificate; may be repeated (default: its name)", &o->names},
                  {"--listen", "ADDRESS:PORT", "where clients with a certificate may drive it, such as 0.0.0.0:9465 (default: nowhere)", &e.listen},
                  {"--allow", "NAME=ROLE", "one of them: a name of its certificate, and viewer, deployer, operator or admin; may be repeated", &e.clients},
                  {"--crl", "FILE", "with --listen: the list (CRL) of what the clients' authority revoked, which becomes crl.pem beside ca.pem (default: none)", &o->crl,
                   Completes::file},
                  {"--ca-file", "FILE", "for https: the CAs (PEM) that may vouch for the repository's server", &o->ca_file, Completes::file, {}, true},
                  {"--token-file", "FILE", "a bearer token for that server, in a file that stays there", &o->token_file, Completes::file, {}, true},
                  {"--folder", "DIR", "where it is written (default: where berthd has its configuration)", &o->folder, Completes::folder, {}, true}},
      .action = [o](Console& console) { return enrol_node(console, *o); },
  };
}

Verb node_csr_verb() {
  auto o = std::make_shared<CsrOptions>();
  return {
      .name = "csr",
      .summary = "Print a certificate request of this node's key, for a first certificate or the next one",
      .text = "The key is the one that 'berth node enrol' made. The request is for the names of the one before (node.csr), unless --address says others.",
      .examples = {"berth node csr", "ssh edge-1 berth node csr | berth ca sign - --ca ./ca > edge-1.pem"},
      .exits = {Exit::failed, Exit::not_found, Exit::permission},
      .options = {{"--address", "NAME", "a host name or address that the certificate is to be for; may be repeated", &o->names},
                  {"--folder", "DIR", "where node.key is (default: where berthd has its configuration)", &o->folder, Completes::folder}},
      .action = [o](Console& console) { return print_request(console, *o); },
  };
}

}  // namespace berth::cli

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/enrol/names.h"
#include "core/result.h"
#include "core/trust/remote.h"
#include "core/trust/time.h"

namespace berth::cli::enrol {

namespace fs = std::filesystem;

/// What a new node is told once.
struct Enrolment {
  fs::path folder = "/etc/berth";
  std::string node;                  ///< empty: the host's name
  std::string host;                  ///< the machine's
  std::string environment;
  std::vector<std::string> labels;   ///< "rack=r7"
  std::string url;                   ///< of the repository
  fs::path ca_file, token_file;      ///< for it; or empty
  std::string root;                  ///< a file, or "sha256:HEX" of the repository's first root.json
  std::vector<std::string> follow;   ///< "web@stable"
  std::string listen;                ///< of the API for clients with a certificate; empty: none
  std::vector<std::string> clients;  ///< of that, "alice@example.org=operator"
  fs::path crl;                      ///< the list of what the authority of these revoked; empty: none is gone by
  std::vector<Name> names;           ///< that the node's certificate is to be for; empty: the node's name
};

/// What was written, and what was there before and is left.
struct Enrolled {
  std::string node;
  std::vector<Name> names;
  std::vector<fs::path> wrote, kept;
};

/// The berthd.toml that it makes. Fails with `Errc::usage` as berthd does.
Result<std::string> configuration_of(const Enrolment& enrolment);

/// The list of revoked certificates that the node is given; empty where it is given none. Fails with `Errc::usage` where berthd could not read it or, where the
/// node has its clients' authority (ca.pem) already, would refuse everybody by it at `now`.
Result<std::string> crl_of(const Enrolment& enrolment, trust::WallTime now);

/// Writes berthd.toml, root.json, node.key (0600), node.csr and, where there is a list of revoked certificates, crl.pem into the folder, in an order in which a
/// second try goes on where the first one ended. Nothing is written unless the repository that `metadata` reads has the root, and all that it signs is valid at
/// `now`. A berthd.toml that somebody wrote is never replaced (`Errc::exists`); one that is as the package brought it is kept beside, as berthd.toml.shipped. A
/// key that is there is used. Another list than the one that is there is refused (`Errc::exists`): which is the newer one is not for this to tell. Files of
/// conf.d stay and count, as long as they go with it and none says otherwise (`Errc::exists`).
Result<Enrolled> enrol(const Enrolment& enrolment, trust::Remote& metadata, trust::WallTime now);

/// The names that a request in a file asks for.
Result<std::vector<Name>> names_of_request(const fs::path& file);

}  // namespace berth::cli::enrol

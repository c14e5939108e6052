#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/io/child.h"
#include "core/io/on_loop.h"

namespace berth::io {

/// What a program says, and with what it ended.
inline ChildResult run_program(std::vector<std::string> argv) {
  Loop loop;
  ChildSpec spec;
  spec.argv = std::move(argv);
  spec.environment = {{"PATH", "/usr/bin:/bin"}};
  spec.deadline = std::chrono::seconds(60);
  spec.most_output = 64u << 10;
  auto done = on_loop(loop, run_child(std::move(spec)));
  EXPECT_TRUE(done) << done.error().message;
  return done.value_or(ChildResult{.status = -1});
}

/// Certificates of an authority of the tests' own, made once for all of them by openssl.
class Authority {
 public:
  Authority() {
    write("ca.cnf", "[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=ca\n[dn]\nCN=test authority\n[ca]\nbasicConstraints=critical,CA:TRUE\n"
                    "keyUsage=keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n");
    for (const std::string name : {"ca", "other-ca"})
      run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-config", path("ca.cnf"),
           "-keyout", path(name + ".key"), "-out", path(name + ".pem")});
    issue("local", "DNS:localhost,IP:127.0.0.1,IP:::1");
    issue("elsewhere", "DNS:elsewhere.example,IP:127.0.0.2");
    issue("unnamed", "");
    issue("expired", "DNS:localhost,IP:127.0.0.1", -1);
    issue("client", "DNS:client,DNS:*.any.example,URI:spiffe://example.org/ci,email:ci@example.org,IP:10.0.0.7");
    issue("expired-client", "DNS:client", -1);
    issue("strange-client", "DNS:client", 2, kEcKey, "other-ca");
    issue("other-local", "DNS:localhost,IP:127.0.0.1", 4);
    issue("rsa-client", "DNS:rsa", 2, {"-newkey", "rsa:2048"});
    issue("short-client", "DNS:client", 2, {"-newkey", "rsa:1024"});
    issue("server-only", "DNS:client", 2, kEcKey, "ca", "extendedKeyUsage=serverAuth\n");
    issue("ed25519", "IP:127.0.0.1", 2, {"-newkey", "ed25519"});
  }

  std::string path(const std::string& name) const { return folder_.path() / name; }

  /// A list of revoked certificates, `to`, that counts for so many seconds.
  void list_revoked(const std::string& to, const std::vector<std::string>& revoked, int seconds = 86400, const std::string& ca = "ca") const {
    write("list.cnf", "[ca]\ndefault_ca=d\n[d]\ndatabase=" + path("index.txt") + "\ncrlnumber=" + path("crlnumber") + "\ndefault_md=sha256\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n");
    write("index.txt", "");
    write("crlnumber", "01\n");
    const std::vector<std::string> start{"openssl", "ca", "-config", path("list.cnf"), "-cert", path(ca + ".pem"), "-keyfile", path(ca + ".key")};
    const auto with = [&](std::vector<std::string> more) {
      more.insert(more.begin(), start.begin(), start.end());
      run(std::move(more));
    };
    for (const std::string& one : revoked) with({"-revoke", path(one + ".pem")});
    with({"-gencrl", "-crlsec", std::to_string(seconds), "-out", path(to)});
  }

 private:
  static inline const std::vector<std::string> kEcKey{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"};

  void write(const std::string& name, const std::string& text) const { ASSERT_TRUE(files::replace(path(name), text)); }

  static void run(std::vector<std::string> argv) {
    const auto done = run_program(std::move(argv));
    ASSERT_EQ(done.status, 0) << done.output;
  }

  /// A certificate for `localhost` as its common name, with those alternative names.
  void issue(const std::string& name, const std::string& names, int days = 2,
             const std::vector<std::string>& key = kEcKey, const std::string& ca = "ca", const std::string& more = {}) {
    write(name + ".ext", "basicConstraints=CA:FALSE\n" + (names.empty() ? "" : "subjectAltName=" + names + "\n") + more);
    std::vector<std::string> request{"openssl", "req", "-nodes", "-subj", "/CN=localhost",
                                     "-keyout", path(name + ".key"), "-out", path(name + ".csr")};
    request.insert(request.end(), key.begin(), key.end());
    run(std::move(request));
    run({"openssl", "x509", "-req", "-in", path(name + ".csr"), "-CA", path(ca + ".pem"), "-CAkey", path(ca + ".key"), "-days", std::to_string(days),
         "-extfile", path(name + ".ext"), "-out", path(name + ".pem")});
  }

  files::TemporaryDirectory folder_;
};

}  // namespace berth::io

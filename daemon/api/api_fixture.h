#pragma once

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "core/io/on_loop.h"
#include "core/json/json.h"
#include "daemon/api/api.h"
#include "daemon/api/fake_operations.h"

namespace berth::api {

/// The API over operations that write down what they were asked for.
class ApiFixture : public testing::Test {
 protected:
  static io::ServerRequest request(const std::string& method, const std::string& path, const std::string& body = "") {
    io::ServerRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    return request;
  }
  io::ServerReply ask(io::ServerRequest request) { return io::on_loop(loop, api.on_socket(std::move(request))); }
  io::ServerReply ask(const std::string& method, const std::string& path, const std::string& body = "") { return ask(request(method, path, body)); }
  io::ServerReply ask(const std::string& path, std::map<std::string, std::string> query) {
    auto get = request("GET", path);
    get.query = std::move(query);
    return ask(std::move(get));
  }
  io::ServerReply on_network(const std::string& method, const std::string& path) { return io::on_loop(loop, api.on_network(request(method, path))); }

  /// What a reply in pieces says.
  static boost::asio::awaitable<std::string> text_of(const io::ServerReply& reply) {
    struct Collector final : io::BodyWriter {
      boost::asio::awaitable<bool> write(std::string data) override {
        text += data;
        co_return true;
      }
      bool gone() const override { return false; }
      std::string text;
    } collector;
    co_await reply.stream(collector);
    co_return collector.text;
  }

  static std::string member(const io::ServerReply& reply, const char* name) {
    const auto json = json::parse(reply.body);
    if (!json || !json->is_object() || !json->as_object().contains(name)) return "";
    const auto& value = json->as_object().at(name);
    return value.is_string() ? std::string(value.as_string()) : json::text(value);
  }

  io::Loop loop;
  FakeOperations operations;
  FakeNode node;
  Api api{operations, node};
};

}  // namespace berth::api

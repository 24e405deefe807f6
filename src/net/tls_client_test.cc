// What a TLS client leaves in the threads that used it.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "net/client_stream.h"

namespace writ::net {
namespace {

TEST(TlsClient, EndsInAnotherThreadThanItBeganIn) {
  std::promise<std::unique_ptr<TlsClient>> made;
  std::promise<void> gone;
  std::thread maker([&] {
    auto client = TlsClient::Create({});
    ASSERT_TRUE(client) << client.error().what;
    made.set_value(*std::move(client));
    gone.get_future().wait();
  });
  made.get_future().get().reset();
  gone.set_value();
  maker.join();  // OpenSSL tidies up after a thread when it ends, by what the thread has used
}

}  // namespace
}  // namespace writ::net

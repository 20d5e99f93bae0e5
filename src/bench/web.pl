# The service of the benchmarks: says over HTTP which node it runs on. It begins within some 20 ms,
# so that what is measured is who starts it. The modules are those that every Debian has.
use strict;
use warnings;
use IO::Socket::INET;

my $port = shift // 8080;
open(my $file, '<', '/proc/sys/kernel/hostname') or die "no name: $!\n";
chomp(my $node = <$file>);

my $listening = IO::Socket::INET->new(LocalPort => $port, Listen => 64, ReuseAddr => 1)
  or die "cannot listen on port $port: $!\n";
while (my $client = $listening->accept) {
    $client->timeout(1);
    while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
    my $body = "$node\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
      . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close $client;
}

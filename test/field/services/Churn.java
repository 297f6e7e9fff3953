// A server of eight threads that churn: short-lived and long-lived objects, direct buffers, zlib's own memory.
// A question is a seed and a size, 32 bits each; the answer is the SHA-256 of the bytes that the seed stands for,
// after they went through deflate, direct memory and inflate.
import java.io.DataInputStream;
import java.io.EOFException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

public class Churn {
    private static final int THREADS = 8;
    /** What each thread keeps for a while, so that collections find old objects too. */
    private static final int KEPT = 200;

    public static void main(String[] arguments) throws Exception {
        ServerSocket server = new ServerSocket(0, THREADS, InetAddress.getLoopbackAddress());
        System.out.println("port " + server.getLocalPort());
        for (int i = 0; i < THREADS; i++) new Thread(() -> serve(server), "churn-" + i).start();
    }

    private static void serve(ServerSocket server) {
        try (Socket socket = server.accept()) {
            socket.setTcpNoDelay(true);
            DataInputStream questions = new DataInputStream(socket.getInputStream());
            ArrayDeque<byte[]> kept = new ArrayDeque<>();
            while (true) {
                byte[] bytes = bytesOf(questions.readInt(), questions.readInt());
                byte[] back = roundTrip(bytes);
                if (!Arrays.equals(bytes, back)) throw new IllegalStateException("inflate gave other bytes");
                if (counted(bytes) != bytes.length) throw new IllegalStateException("the map lost a byte");
                kept.add(back);
                if (kept.size() > KEPT) kept.remove();
                socket.getOutputStream().write(MessageDigest.getInstance("SHA-256").digest(back));
            }
        } catch (EOFException end) {
            // The client is done.
        } catch (Throwable wrong) {
            wrong.printStackTrace();
            System.exit(1);
        }
    }

    private static byte[] bytesOf(int seed, int size) {
        byte[] bytes = new byte[size];
        int state = seed;
        for (int i = 0; i < size; i++) {
            state ^= state << 13;
            state ^= state >>> 17;
            state ^= state << 5;
            bytes[i] = (byte) (state & 0x3f);
        }
        return bytes;
    }

    /** Deflater and Inflater have memory from malloc, and so has a direct buffer. */
    private static byte[] roundTrip(byte[] bytes) throws Exception {
        ByteBuffer packed = ByteBuffer.allocateDirect(bytes.length + 1024);
        Deflater deflater = new Deflater(1);
        deflater.setInput(bytes);
        deflater.finish();
        while (!deflater.finished()) deflater.deflate(packed);
        deflater.end();
        packed.flip();
        Inflater inflater = new Inflater();
        inflater.setInput(packed);
        byte[] back = new byte[bytes.length];
        int length = 0;
        while (length < back.length && !inflater.finished()) length += inflater.inflate(back, length, back.length - length);
        inflater.end();
        return back;
    }

    /** Many small objects. */
    private static int counted(byte[] bytes) {
        Map<String, Integer> counts = new HashMap<>();
        for (byte one : bytes) counts.merge("byte " + one, 1, Integer::sum);
        return counts.values().stream().mapToInt(Integer::intValue).sum();
    }
}

#!/usr/bin/env python3
"""Writes pairing/tests/data/pairing-v1.vectors: the exchange of docs/protocol.md, computed with the standard
library alone and no code of ours.

  scripts/gen-pairing-vectors.py > pairing/tests/data/pairing-v1.vectors

Keys and random values are fixed: the two scalars of SPAKE2 are the 64 bytes 00 .. 3f and 40 .. 7f, reduced as
the crate does it; the new key is 7, the old one 9; ECDSA nonces come from the message."""
import hashlib, hmac

H=lambda b: hashlib.sha256(b).digest()
mac=lambda k,b: hmac.new(k,b,hashlib.sha256).digest()
def expand(prk,info,n):
    o=b'';t=b'';i=1
    while len(o)<n: t=mac(prk,t+info+bytes([i])); o+=t; i+=1
    return o[:n]
# --- edwards25519, enough for SPAKE2 as in python-spake2 / crate spake2 0.4
P=2**255-19; L=2**252+27742317777372353535851937790883648493; d=-121665*pow(121666,-1,P)%P
def dec(b):
    y=int.from_bytes(b,'little'); s=y>>255; y&=(1<<255)-1
    x2=(y*y-1)*pow(d*y*y+1,-1,P)%P; x=pow(x2,(P+3)//8,P)
    if (x*x-x2)%P: x=x*pow(2,(P-1)//4,P)%P
    assert (x*x-x2)%P==0
    if x&1!=s: x=P-x
    return x,y
def add(a,b):
    k=d*a[0]*b[0]*a[1]*b[1]%P
    return (a[0]*b[1]+b[0]*a[1])*pow(1+k,-1,P)%P,(a[1]*b[1]+a[0]*b[0])*pow(1-k,-1,P)%P
def mul(p,n):
    r=(0,1)
    while n:
        if n&1: r=add(r,p)
        p=add(p,p); n>>=1
    return r
enc=lambda p:(p[1]|((p[0]&1)<<255)).to_bytes(32,'little')
B=dec((4*pow(5,-1,P)%P).to_bytes(32,'little'))
M=dec(bytes.fromhex('15cfd18e385952982b6a8f8c7854963b58e34388c8e6dae891db756481a02312'))
N=dec(bytes.fromhex('f04f2e7eb734b2a8f8b472eaf9c3c632576ac64aea650b496a8a20ff00e583c3'))
pws=lambda pw:int.from_bytes(expand(mac(b'\0'*32,pw),b'SPAKE2 pw',48),'big')%L
neg=lambda p:((-p[0])%P,p[1])
# --- P-256 ECDSA, fixed k (vectors only)
p=2**256-2**224+2**192+2**96-1; n=0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551; a=-3
G=(0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)
def padd(A,C):
    if A is None: return C
    if C is None: return A
    if A[0]==C[0]:
        if (A[1]+C[1])%p==0: return None
        l=(3*A[0]*A[0]+a)*pow(2*A[1],-1,p)%p
    else: l=(C[1]-A[1])*pow(C[0]-A[0],-1,p)%p
    x=(l*l-A[0]-C[0])%p; return x,(l*(A[0]-x)-A[1])%p
def pmul(A,k):
    r=None
    while k:
        if k&1: r=padd(r,A)
        A=padd(A,A); k>>=1
    return r
def sign(dk,msg):
    z=int.from_bytes(H(msg),'big'); k=int.from_bytes(H(b'k'+msg),'big')%n; r=pmul(G,k)[0]%n; s=pow(k,-1,n)*(z+r*dk)%n
    return r.to_bytes(32,'big')+s.to_bytes(32,'big')
SPKI=bytes.fromhex('3059301306072a8648ce3d020106082a8648ce3d030107034200')
def spki(dk): q=pmul(G,dk); return SPKI+b'\x04'+q[0].to_bytes(32,'big')+q[1].to_bytes(32,'big')
frame=lambda t,b: bytes([t])+len(b).to_bytes(2,'big')+b
lp=lambda b: bytes([len(b)])+b
def run(mode,name,replaces=False):
    out=[]; show=lambda k,v: out.append(f'{name}.{k} = {v.hex() if isinstance(v,bytes) else v}')
    ekm=bytes(range(32)); hs=b'\x22'*32; sid=bytes(range(0x40,0x48)); k=bytes(range(0x50,0x60)); code=b'K7QF3M9X'
    ns=b'\x51'*32; nc=b'\xc1'*32; T0=b'healthsync pair v1'+hs
    if mode=='qr': Z=k; shA=shB=b''; s8=sid
    else:
        w=pws(code); xr=bytes(range(64)); yr=bytes(range(64,128)); x=int.from_bytes(xr,'little')%L; y=int.from_bytes(yr,'little')%L
        X=enc(add(mul(B,x),mul(M,w))); Y=enc(add(mul(B,y),mul(N,w)))
        K=mul(add(dec(Y),neg(mul(N,w))),x); K2=mul(add(dec(X),neg(mul(M,w))),y); assert K==K2
        Z=H(H(code)+H(b'healthsync pair v1 client'+ekm)+H(b'healthsync pair v1 server'+ekm)+X+Y+enc(K)); shA=b'A'+X; shB=b'B'+Y; s8=bytes(8)
    prk=mac(ekm,Z); D=lambda lab,x,n: expand(prk,b'healthsync pair v1 '+lab+b'\0'+x,n)
    body=bytes([1,0,1,1 if mode=='qr' else 2])+s8+lp(shA); hdr=bytes([1])+(len(body)+32).to_bytes(2,'big')
    tag=D(b'hello',H(T0+hdr+body),32) if mode=='qr' else bytes(32)
    F=[hdr+body+tag]; TH=lambda: H(T0+b''.join(F))
    F.append(frame(2,b'\0\1'+lp(shB)+H(b'healthsync pair v1 commit\0'+ekm+ns)))
    F.append(frame(3,D(b'client proof',TH(),32))); F.append(frame(4,D(b'server proof',TH(),32)))
    b5=nc+spki(7)+lp('Anna’s Mac'.encode())
    if replaces:
        b5+=b'\1'+bytes(range(0x60,0x70)); b5+=sign(9,b'healthsync pair v1 replace\0'+TH()+b5)
    else: b5+=b'\0'
    b5+=sign(7,b'healthsync pair v1 enrol\0'+TH()+b5); F.append(frame(5,b5))
    dg=int.from_bytes(D(b'digits',TH()+ns,8),'big')%10**6
    F.append(frame(6,ns+bytes([60])))
    show('EKM',ekm); show('H_SPKI_S',hs); show('Z',Z); show('PRK',prk)
    for i,f in enumerate(F): show(f'F{i+1}',f)
    show('digits',f'{dg:06d}'); show('pair_id',D(b'pair id',TH(),16)); show('discovery_key',D(b'discovery key',TH(),32))
    if replaces: show('old_SPKI',spki(9))
    return out
def issued():
    # F7 is not in the transcript: any bytes will do for the two certificates.
    leaf=b'\x30\x81'+b'\x11'*300; ca=b'\x30\x82'+b'\x22'*400; renew=1_800_000_000
    b=len(leaf).to_bytes(2,'big')+leaf+len(ca).to_bytes(2,'big')+ca+renew.to_bytes(8,'big')
    b+=b'\2'+lp(bytes([192,168,1,23]))+lp(bytes.fromhex('fd00000000000000000000000000abcd'))+lp('Zoë’s server'.encode())
    return ['issued.leaf = '+leaf.hex(),'issued.ca = '+ca.hex(),f'issued.renew_after = {renew}','issued.F7 = '+frame(7,b).hex()]
print('# Made by scripts/gen-pairing-vectors.py, which uses Python\'s standard library alone. The parts qr and code')
print('# were first computed by two programs that share no code (the other in Rust with hkdf, sha2, spake2, ring).')
print('# Scalars of SPAKE2: the bytes 00 .. 3f (client) and 40 .. 7f (server). Code: K7QF3M9X, check symbol 5.')
print('\n'.join(run('qr','qr')+run('code','code')+run('code','replace',True)+issued()))

import { dictionary } from './index.svelte';

export const signIn = dictionary(
  {
    title: 'Sign in',
    tagline: 'Coupons issued, redeemed and kept from abuse.',
    name: 'User name',
    password: 'Password',
    submit: 'Sign in',
    link_title: 'Signing you in',
    link_about: 'The one-time link is being checked.',
    link_expired: 'This link has been used or has expired. Ask for a new one, or sign in with your password.',
    failed: 'The name or the password is wrong.',
    limited: 'Too many tries. Wait a little, then try again.',
    help: 'No password? Whoever runs the server finds a one-time link in its output.',
  },
  {
    title: '登录',
    tagline: '卡券发放、核销与风险控制。',
    name: '用户名',
    password: '密码',
    submit: '登录',
    link_title: '正在登录',
    link_about: '正在校验一次性链接。',
    link_expired: '该链接已使用或已过期。请索取新链接，或使用密码登录。',
    failed: '用户名或密码错误。',
    limited: '尝试次数过多，请稍后再试。',
    help: '没有密码？服务启动时会在输出中打印一次性登录链接。',
  },
);
